import time
from organisations import *
from judged import *
t=time.process_time(); o=organisation(AnswerModel(),1,effects=planted_at_random(1,20.)); print("org",time.process_time()-t)
print([g.health.std(0).round(1) for g in o.groups], np.corrcoef(o.groups[0].health.T)[0].round(2))
t=time.process_time(); ev=evidence_of(o); print("ev",time.process_time()-t)
t=time.process_time(); r=reliability_table(ev); print("rel",time.process_time()-t, r.omega.round(2).tolist())
t=time.process_time(); c=judge_cells(ev,SETTINGS,r); print("judge",time.process_time()-t)
c=score_cells(o); print(c.columns.tolist()); print(c[c.planted<0][["unit","dimension","n","gap","true_gap","planted","tier"]].to_string()); print(c.tier.value_counts(dropna=False))
t=time.process_time(); p=readiness_of(o); print("ready",time.process_time()-t); print(p.head())
t=time.process_time(); d=whole_diagnosis(o); print("diag",time.process_time()-t); print(d)
print(d.to_frame()[["kind","unit","dimension","tier","direction"]].to_string())
