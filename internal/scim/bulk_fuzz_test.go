package scim

import (
	"slices"
	"testing"
)

// Whatever a bulk request says, it is refused or read in bounds, and what it names is what stands in it.
func FuzzBulk(f *testing.F) {
	for _, s := range []string{
		`{"Operations":[{"method":"POST","path":"/Users","bulkId":"u","data":{"userName":"u","members":[{"value":"bulkId:v"}]}}]}`,
		`{"failOnErrors":1,"Operations":[{"method":"DELETE","path":"/Users/bulkId:x","version":"W/\"1\""}]}`,
		`{"Operations":[{"method":"patch","path":"Groups/1","data":{"Operations":[{"op":"add","path":"members","value":["bulkId:"]}]}}]}`,
		`{"Operations":[{}]}`, `{"Operations":[null]}`, `{"operations":[{"METHOD":"PUT","data":{}}],"failOnErrors":1e9}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		body, err := parseObject(text)
		if err != nil {
			return
		}
		b, err := parseBulk(&request{body: body})
		if err != nil {
			if f := faultOf(err); f.status != 400 && f.status != 413 {
				t.Fatalf("refused with %d: %v", f.status, err)
			}
			return
		}
		if len(b.ops) == 0 || len(b.ops) > maxBulk || b.patience < 0 {
			t.Fatalf("%d operations, patience %d", len(b.ops), b.patience)
		}
		for _, o := range b.ops {
			left := 0
			substitute(o.data, func(s string) string {
				if len(s) >= len(bulkPrefix) && s[:len(bulkPrefix)] == bulkPrefix && !slices.Contains(o.needs, s[len(bulkPrefix):]) {
					left++
				}
				return ""
			})
			if left > 0 || o.method == "POST" && b.made[o.bulkID] != o {
				t.Fatalf("%s: %+v misses a reference", text, o)
			}
		}
	})
}
