"""Three exports of one company, one diagnosis: run `servicediag demo` first, then this."""

import servicediag as sd

folder = "servicediag-demo"
customers = sd.read_responses(f"{folder}/customers.xlsx", "seven-sins", form="customer", unit="Branch")
employees = sd.read_responses(f"{folder}/employees.xlsx", ["readiness", "four-tools"], unit="Branch")
supervisors = sd.read_responses(f"{folder}/supervisors.xlsx", "four-tools", form="provider", unit="Branch")
diagnosis = sd.diagnose(customers, employees, supervisors)
for finding in diagnosis.top(5):
    print(f"{finding.title}\n  {finding.text}\n  First: {next(iter(finding.actions), 'find the cause')}")
diagnosis.to_excel("diagnosis.xlsx", overwrite=True)
diagnosis.to_html("diagnosis.html", overwrite=True)
