package token_test

import "testing"

// What an exchange costs on the server, with a token of its own each time and the issuer's keys at hand: checking the
// signature, the decision, the answer's signature, and the durable note that the token was used.
func BenchmarkExchange(b *testing.B) {
	h := newHouse(b)
	assertions := make([]string, 0, 1<<10)
	for b.Loop() {
		if len(assertions) == 0 {
			b.StopTimer()
			for range cap(assertions) {
				assertions = append(assertions, h.good(b))
			}
			b.StartTimer()
		}
		last := len(assertions) - 1
		if _, err := h.exchange(b.Context(), assertions[last]); err != nil {
			b.Fatal(err)
		}
		assertions = assertions[:last]
	}
}
