#!/bin/sh
# HR's way: exports in, a workbook and a page out. Run `servicediag demo` first.
set -e
cd servicediag-demo
servicediag check customers.xlsx -i seven-sins:customer --unit Branch
servicediag diagnose customers.xlsx employees.xlsx supervisors.xlsx \
  -i seven-sins:customer -i readiness:employee+four-tools:receiver -i four-tools:provider \
  --unit Branch -o hr-report.xlsx -o hr-report.html --force
