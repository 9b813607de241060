# SPDX-License-Identifier: GPL-2.0
# The counters of `fbctl -j stats` in the format that Prometheus reads:
#   fbctl -j stats | jq -r -f lana-metrics.jq

def escape: tostring | gsub("\\\\"; "\\\\") | gsub("\""; "\\\"") | gsub("\n"; "\\n");
def family($name; $type; $help; lines): "# HELP \($name) \($help)", "# TYPE \($name) \($type)", lines;

(.fb // []) as $blocks | (.ppe // []) as $cpus |
family("lana_block_packets_total"; "counter"; "Packets that a block has received.";
	$blocks[] | "lana_block_packets_total{block=\"\(.name | escape)\"} \(.stats.packets // 0)"),
family("lana_block_bytes_total"; "counter"; "Bytes of the packets that a block has received.";
	$blocks[] | "lana_block_bytes_total{block=\"\(.name | escape)\"} \(.stats.bytes // 0)"),
family("lana_block_drops_total"; "counter"; "Packets dropped at a block, by reason.";
	$blocks[] | .name as $name | (.stats.drop // [])[] |
	"lana_block_drops_total{block=\"\($name | escape)\",reason=\"\(.reason | escape)\"} \(.packets)"),
family("lana_cpu_packets_total"; "counter"; "Packets that a CPU has carried through the graph.";
	$cpus[] | "lana_cpu_packets_total{cpu=\"\(.cpu)\"} \(.packets // 0)"),
family("lana_cpu_drops_total"; "counter"; "Packets that a CPU has dropped.";
	$cpus[] | "lana_cpu_drops_total{cpu=\"\(.cpu)\"} \(.drops // 0)"),
family("lana_cpu_backlog_max"; "gauge"; "The longest backlog that a CPU has had.";
	$cpus[] | "lana_cpu_backlog_max{cpu=\"\(.cpu)\"} \(."backlog-max" // 0)")
