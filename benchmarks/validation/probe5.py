import pandas as pd, numpy as np
n_,g12,g20,ic=[pd.read_pickle(f"/tmp/w/v_{k}.pkl") for k in ("null","g12","g20","icc")]
def shr(c,D):
    g,s=c.gap.to_numpy(float),c.shrunk_gap.to_numpy(float); lim=np.maximum(np.abs(s),np.abs(g)-D*c.standard_error.to_numpy(float))
    return np.sign(g)*lim
def rep(name,D,lv=.10):
    def told(c,d=D): 
        s=shr(c,d); est=(c.tier=="established")
        return ((c.q_value<=lv)&(np.abs(s)>=5))|est
    t=told(n_); a2=t.groupby(n_.run).any().mean()
    res=[f"A2 {a2:.3f}"]
    for c,nm in ((g12,"12"),(g20,"20")):
        t=told(c); pl=c.planted<0; worse=c.gap<0
        fal=(np.sign(c.gap)*c.true_gap<=2.5)
        hit=(t&pl&worse).sum(); wrong=(t&~(pl&worse)).sum(); P=hit/(hit+wrong); R=hit/pl.sum()
        res.append(f"{nm}: FDR {(t&fal).sum()/t.sum():.3f} sens20 {(t&pl&worse&(c.n>=20)).sum()/(pl&(c.n>=20)).sum():.3f} F.5 {1.25*P*R/(.25*P+R):.3f}")
    t=told(ic); fal=(np.sign(ic.gap)*ic.true_gap<=2.5); res.append(f"icc told/org {t.sum()/25:.1f} false {(t&fal).sum()/max(1,t.sum()):.3f}")
    s=shr(ic,D); res.append(f"A10 {np.sqrt(((s-ic.true_gap)**2).mean()/((ic.gap-ic.true_gap)**2).mean()):.3f}")
    print(name," | ".join(res))
print("A1",(n_.tier=="established").groupby(n_.run).any().mean())
for D in (9,2,1.5,1.,.75,.5,0): rep(f"D={D}",D)
for c,nm in ((g12,"12"),(g20,"20")):
    pl=c.planted<0; worse=c.gap<0
    for nm2,t in (("p05",c.baseline_p<.05),("raw",c.baseline_gap<-7.5)):
        hit=(t&pl&worse).sum(); wrong=(t&~(pl&worse)).sum(); P=hit/(hit+wrong); R=hit/pl.sum(); print(nm,nm2,P,R,1.25*P*R/(.25*P+R))
