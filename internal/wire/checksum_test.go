package wire

import (
	"net/http"
	"testing"
)

// TestChecksums uses the check value of each function, its sum of "123456789", and the sums of nothing.
func TestChecksums(t *testing.T) {
	for header, sums := range map[string][2]string{
		"Content-MD5":              {"JfnnlDI7RTiF9RgfG2JNCw==", "1B2M2Y8AsgTpgAmY7PhCfg=="},
		"x-amz-checksum-crc32":     {"y/Q5Jg==", "AAAAAA=="},
		"x-amz-checksum-crc32c":    {"4waSgw==", "AAAAAA=="},
		"x-amz-checksum-crc64nvme": {"rosUhgp5mIg=", "AAAAAAAAAAA="},
		"x-amz-checksum-sha1":      {"98O8HYCOBHMq32eZZczDTKeuNEE=", "2jmj7l5rSw0yVb/vlWAYkK/YBwk="},
		"x-amz-checksum-sha256":    {"FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU=", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="},
	} {
		for i, body := range []string{"123456789", ""} {
			h := http.Header{}
			h.Set(header, sums[i])
			if err := verifyChecksums(h, []byte(body)); err != nil {
				t.Errorf("%s of %q: %v", header, body, err)
			}
			if err := verifyChecksums(h, []byte(body+"x")); err == nil || AsError(err).Code != "BadDigest" {
				t.Errorf("%s of another body: %v, want BadDigest", header, err)
			}
			h.Add(header, "AAAA")
			if verifyChecksums(h, []byte(body)) == nil {
				t.Errorf("%s: a second, wrong one is not looked at", header)
			}
		}
	}
	if err := verifyChecksums(http.Header{"X-Amz-Content-Sha256": {"x"}}, nil); err != nil {
		t.Errorf("another header: %v", err)
	}
}
