"""Mobile phone customers, one organisation without units: python ecsi_customers.py path/to/ecsi_mobi.csv"""

import sys
from pathlib import Path

import servicediag as sd

responses = sd.read_responses(sys.argv[1], Path(__file__).parent / "ecsi")
print(sd.reliability(responses).to_frame()[["dimension", "n_respondents", "alpha", "omega", "note"]].round(3))
diagnosis = sd.diagnose(responses, targets={"cusa": 75, "perv": 70})
print(diagnosis.evidence[["title", "n", "mean", "ci_low", "ci_high"]].round(1))
for finding in diagnosis.findings:
    print("-", finding.tier, finding.text)
