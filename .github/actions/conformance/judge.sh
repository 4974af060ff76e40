#!/usr/bin/env bash
# Runs the suite as the inputs of action.yml say, writes all reports and the summary of the job, and
# exits as the suite does: 0 conformant, 1 not, 2 usage, 3 unreachable, 4 a bug of the suite.
set -euo pipefail

mkdir -p "$REPORT_DIR"
report="$REPORT_DIR/conformance-report"
arguments=(
    --profile "$PROFILE"
    --report "html=$report.html,junit=$report.xml,sarif=$report.sarif"
    --report "json=$report.json,badge=$report.badge.json"
)
[ -z "$KNOWN_FAILURES" ] || arguments+=(--known-failures "$KNOWN_FAILURES")
[ "$ALLOW_FILLS" != true ] || arguments+=(--allow-fills)
[ -z "$SEED" ] || arguments+=(--seed "$SEED")
[ -z "$MAX_TIME" ] || arguments+=(--max-time "$MAX_TIME")
while IFS= read -r header; do
    [ -z "$header" ] || arguments+=(--header "$header")
done <<<"${TRADING_CONFORMANCE_HEADERS:-}"

rm -f "$report.json" # one of an earlier run says nothing of this one
status=0
trading-conformance run "$URL" "${arguments[@]}" || status=$?
if [ -f "$report.json" ]; then
    python "$(dirname "${BASH_SOURCE[0]}")/summary.py" "$report.json" >>"$GITHUB_STEP_SUMMARY"
    {
        echo "verdict=$(python -c 'import json, sys; print(json.load(open(sys.argv[1]))["verdict"])' "$report.json")"
        echo "report=$report.json"
    } >>"$GITHUB_OUTPUT"
fi
exit "$status"
