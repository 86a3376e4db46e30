"""Reliability of one's own items, without any instrument: a frame of answers is enough."""

import pandas as pd

from servicediag import psychometrics as pm

answers = pd.DataFrame({"q1": [4, 2, 5, 3, 4, 1, 5, 2], "q2": [4, 1, 5, 3, 5, 2, 4, 2],
                        "q3": [5, 2, 4, 3, 4, 2, 5, 1], "q4": [3, 2, 5, 2, 4, 1, 4, 3]})  # fmt: skip
alpha = pm.cronbach_alpha(answers)
print(alpha.describe())
print("Feldt 95 %:", alpha.confidence_interval(), "bootstrap:", alpha.confidence_interval(method="bca"))
print(pm.mcdonald_omega(answers).describe())
print(pm.item_analysis(answers, bounds=(1, 5)).to_frame().round(2))
