package bucket

import "testing"

// ReadPolicy reads a policy as PutPolicy does and holds what is stored against what is compared: written again with the
// names of today it is the same policy.
func ReadPolicy(t *testing.T, bucket, text string, principals Principals) {
	p, err := readPolicy(bucket, []byte(text), principals)
	if err != nil {
		return
	}
	if p.Document == nil {
		t.Fatalf("an accepted policy cannot be compiled: %s", text)
	}
	if p.Text != text || p.Show(principals) != text {
		t.Errorf("the policy is shown as %s", p.Show(principals))
	}
	again := newPolicy(p.Text, p.ids)
	if again.Document == nil || again.Public != p.Public || again.Document.Text() != p.Document.Text() {
		t.Errorf("read from the database it is another policy")
	}
}
