import time
from state_goals import *
from goals import table
t=time.process_time()
rows=bottleneck_goals(6,1); print("bott",time.process_time()-t); t=time.process_time()
rows+=calibration_goals(10,1); print("cal",time.process_time()-t); t=time.process_time()
rows+=coverage_goals(10,1); print("cov",time.process_time()-t)
print(table(rows))
