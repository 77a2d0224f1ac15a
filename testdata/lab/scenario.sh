#!/bin/bash
# Run one scenario: scenario.sh NAME DIRECTORY PREFIX. run.sh calls this.
here=$(dirname "$0")
export LAB_SCENARIO=$1 LAB_DIR=$2 LAB_PREFIX=$3
LAB_HOME=$(cd "$here" && pwd)
export LAB_HOME
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$here/lib.sh"
# shellcheck source=/dev/null
. "$here/scenarios/$1.sh"
scenario
stop_captures
