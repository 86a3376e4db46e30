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
null=frames(0,150); null.to_pickle("/tmp/w/v_null.pkl")
g12=frames(12.5,40); g12.to_pickle("/tmp/w/v_g12.pkl")
g20=frames(20.,25); g20.to_pickle("/tmp/w/v_g20.pkl")
ic=frames(0,25,replace(PLAIN,icc=.05)); ic.to_pickle("/tmp/w/v_icc.pkl")
