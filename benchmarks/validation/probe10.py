from cause_goals import *
from cause_goals import _diagnoses
from goals import table
s=staff_scales(); N=12
def plan(run): return {(unit, CUSTOMERS[(unit + run) % len(CUSTOMERS)].reference): -20.0 for unit in range(PLANTED_UNITS)}
tot=0; wrong=0
for run,d in _diagnoses(plan,s,N,777):
    for f in d.findings:
        if f.unit in {f"Unit {u+1:02d}" for u in range(5)} and f.kind=="unit_gap" and f.instrument=="seven-sins" and f.tier in TOLD and f.direction=="worse":
            tot+=1; sup=[(c.rule,c.confirming) for c in f.causes if c.status=="supported"]; wrong+=bool(sup)
            if sup: print(f.dimension,sup,flush=True)
print(wrong,tot)
