package gateway

import "testing"

func BenchmarkParse(b *testing.B) {
	for name, target := range map[string]string{
		"read": "/red/2026/11/sales.csv?x-id=GetObject",
		"list": "/red?list-type=2&prefix=2026%2F11%2F&delimiter=%2F&max-keys=1000&encoding-type=url",
	} {
		b.Run(name, func(b *testing.B) {
			r := received(b, "GET", target, "X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD", "X-Amz-Date", "20261122T101500Z", "Authorization", "x", "X-Amz-Checksum-Mode", "ENABLED")
			b.ReportAllocs()
			for b.Loop() {
				q, err := Parse(r, HostRules{})
				if err != nil || len(q.Needs()) == 0 {
					b.Fatal(err)
				}
			}
		})
	}
}
