#!/bin/bash
# list.sh [ENTRIES]: the list document and its building and publishing, against sha256sum + cat.
top=$(cd "$(dirname "$0")/../.." && pwd)
exec "${B:-$top/build/rel}/bench/bench_list" "${1:-1000000}"
