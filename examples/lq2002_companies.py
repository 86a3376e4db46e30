"""Leadership climate in 49 army companies: python lq2002_companies.py path/to/lq2002.csv"""

import sys
from pathlib import Path

import servicediag as sd

responses = sd.read_responses(sys.argv[1], Path(__file__).parent / "lq2002", unit="COMPID", respondent="SUB")
print(sd.reliability(responses).to_frame()[["dimension", "n_respondents", "alpha", "omega"]].round(3))
diagnosis = sd.diagnose(responses)
print(diagnosis)
for finding in diagnosis.top(5):
    print("-", finding.text)
diagnosis.to_html("lq2002.html", overwrite=True)
