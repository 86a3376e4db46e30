import sys
from gap_goals import *
from servicediag.diagnosis.statistics import benjamini_hochberg
def frames(pts,runs,model=PLAIN,seed=5000):
    out=[]
    for r in range(runs):
        o=organisation(model,seed+r,effects=planted_at_random(seed+r,pts) if pts else None); c=score_cells(o)
        if pts: c=c.merge(baseline_numbers(o),on=["unit","instrument","dimension"])
        c["run"]=r; out.append(c)
    return pd.concat(out,ignore_index=True)
