#!/bin/sh
# Decides anew from a log, and says whether the decision that is kept still stands.
#
#   nightly.sh LOG PRICES FOLDER [options of recommend, for example --max-cost 0.015]
#
# FOLDER keeps the decision (decision.json) from one night to the next, and gets what changed (changes.txt). Exit codes:
# 0 the choice stands, or there was none to compare with; 4 it is another one, by more than noise; 3 nothing is feasible;
# 2 bad input. The decision is replaced only where the choice stands or FOLDER holds none.
set -eu

log=$1 prices=$2 folder=$3
shift 3
mkdir -p "$folder"

moo-infer calibrate "$log" --prices "$prices" --out "$folder/profiles.yaml" >"$folder/calibration.txt"
moo-infer recommend --models "$folder/profiles.yaml" "$@" --json >"$folder/tonight.json"

if [ ! -f "$folder/decision.json" ]; then
    mv "$folder/tonight.json" "$folder/decision.json"
    echo "The first decision is kept in $folder/decision.json."
    exit 0
fi

code=0
moo-infer diff "$folder/decision.json" "$folder/tonight.json" --ignore-noise >"$folder/changes.txt" || code=$?
cat "$folder/changes.txt"
if [ "$code" -eq 0 ]; then
    mv "$folder/tonight.json" "$folder/decision.json"
fi
exit "$code"
