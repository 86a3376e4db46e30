import sys
from gap_goals import *
import organisations
from dataclasses import replace
def shares_sd(sh):
    p=np.array(sh); m=p@organisations.POINTS; return m, np.sqrt(p@(organisations.POINTS-m)**2)
for sh in [(0.04,.12,.28,.38,.18),(0.03,.11,.29,.40,.17),(.03,.10,.29,.42,.16)]:
    print(sh,shares_sd(sh))
    for pts in (12.5,20.):
        fr=[]
        for r in range(8):
            o=organisation(replace(PLAIN,shares=sh),r+1,effects=planted_at_random(r+1,pts)); c=score_cells(o).merge(baseline_numbers(o),on=["unit","instrument","dimension"]); fr.append(c)
        c=pd.concat(fr); sd=c.sd[c.planted==0].mean()
        pl=c[(c.planted<0)&(c.n>=20)]
        print(pts,"sd",round(sd,1),"n",len(pl),"q.10",(pl.q_value<=.1).mean().round(3),"shr5",(pl.shrunk_gap<=-5).mean().round(3),"both",((pl.q_value<=.1)&(pl.shrunk_gap<=-5)).mean().round(3),"told",pl.tier.isin(TOLD).mean().round(3),"est",(pl.tier=="established").mean().round(3),"qmin",(pl.q_minimum_effect<=.05).mean().round(3),"keep",pl.keep.mean().round(2), "raw mean", pl.gap.mean().round(1), "truegap", pl.true_gap.mean().round(1), "unreliable",pl.unreliable.mean(), "smallest gap of those missing", )
        miss=pl[(pl.q_value<=.1)&(pl.shrunk_gap>-5)]; print(miss[["n","gap","keep","shrunk_gap","q_value"]].describe().loc[["mean","min","max"]].round(2).to_string())
