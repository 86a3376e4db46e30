import time
from gap_goals import *
from goals import table
t=time.process_time()
rows=null_goals(30,1); print("null30",time.process_time()-t); t=time.process_time()
rows+=planted_goals(20,1); print("planted 3x20",time.process_time()-t); t=time.process_time()
rows+=shrinkage_goals(10,1)
print(table(rows))
