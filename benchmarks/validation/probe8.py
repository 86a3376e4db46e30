import time
from cause_goals import *
from goals import table
s=staff_scales(); print(len(s), sum(len(x.items) for x in s))
for c in planted_causes((*CUSTOMERS,*s)): print(c)
t=time.process_time()
rows=cause_goals(3,1); print("causes",time.process_time()-t); 
print(table(rows))
