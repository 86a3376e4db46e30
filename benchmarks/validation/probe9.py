import pandas as pd, numpy as np
g=pd.read_pickle("/tmp/w/v_g138.pkl"); pl=(g.planted<0)&(g.n>=20)
g=g.assign(lim=np.maximum(g.shrunk_gap.abs(),g.gap.abs()-g.standard_error))
print("true gap",g.true_gap[pl].mean(),"told",g.tier.isin(["established","likely"])[pl].mean(),"q",(g.q_value<=.1)[pl].mean(), "D1", ((g.q_value<=.1)&(g.lim>=5))[pl].mean())
try:
    n=pd.read_pickle("/tmp/w/v_null600.pkl"); n=n.assign(lim=np.maximum(n.shrunk_gap.abs(),n.gap.abs()-n.standard_error))
    print("null600 A1",(n.tier=="established").groupby(n.run).any().mean(),"A2",n.tier.isin(["established","likely"]).groupby(n.run).any().mean(),"q.1",(n.q_value<=.1).groupby(n.run).any().mean(),"D1",((n.q_value<=.1)&(n.lim>=5)).groupby(n.run).any().mean())
except FileNotFoundError: pass
