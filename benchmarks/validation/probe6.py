from probe4f import *
frames(13.8,40,seed=9000).to_pickle("/tmp/w/v_g138.pkl")
keep=["run","unit","dimension","gap","shrunk_gap","standard_error","q_value","q_minimum_effect","tier","true_gap","n","planted"]
frames(0,600,seed=20000)[keep].to_pickle("/tmp/w/v_null600.pkl")
