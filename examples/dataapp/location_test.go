package dataapp

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseLocation(t *testing.T) {
	type parsed struct {
		Bucket, Key string
		Wild        bool
		Target      string
	}
	tests := []struct {
		text string
		want parsed
	}{
		{"s3://red-bucket", parsed{"red-bucket", "", true, "s3://red-bucket/*"}},
		{"s3://red-bucket/", parsed{"red-bucket", "", true, "s3://red-bucket/*"}},
		{"s3://red-bucket/*", parsed{"red-bucket", "", true, "s3://red-bucket/*"}},
		{"s3://red-bucket/red/", parsed{"red-bucket", "red/", true, "s3://red-bucket/red/*"}},
		{"s3://red-bucket/red/*", parsed{"red-bucket", "red/", true, "s3://red-bucket/red/*"}},
		{"s3://red-bucket/re*", parsed{"red-bucket", "re", true, "s3://red-bucket/re*"}},
		{"s3://red-bucket/red", parsed{"red-bucket", "red", false, "s3://red-bucket/red"}},
		{"s3://red-bucket/a*b/%2e/../ü", parsed{"red-bucket", "a*b/%2e/../ü", false, "s3://red-bucket/a*b/%2e/../ü"}},
		{"s3://red-bucket//x", parsed{"red-bucket", "/x", false, "s3://red-bucket//x"}},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			l, err := ParseLocation(tt.text)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, parsed{l.Bucket, l.Key, l.Wild, l.Target()}); diff != "" {
				t.Errorf("location (-want +got):\n%s", diff)
			}
			if l.String() != tt.text {
				t.Errorf("String() = %q", l.String())
			}
		})
	}
}

func TestParseLocationRefuses(t *testing.T) {
	tests := map[string]string{
		"nothing": "", "another scheme": "http://red-bucket/", "upper case": "S3://red-bucket/", "no bucket": "s3:///red/", "a wild bucket": "s3://*",
		"a short bucket": "s3://ab/", "a bucket in capitals": "s3://Red-Bucket/", "a line break": "s3://red-bucket/a\nb", "a NUL": "s3://red-bucket/\x00",
		"not UTF-8": "s3://red-bucket/\xff", "too long": "s3://red-bucket/" + strings.Repeat("a", maxTarget),
	}
	for name, text := range tests {
		t.Run(name, func(t *testing.T) {
			if l, err := ParseLocation(text); err == nil {
				t.Errorf("took %q as %+v", text, l)
			}
		})
	}
}

func FuzzParseLocation(f *testing.F) {
	for _, seed := range []string{"s3://red-bucket", "s3://red-bucket/red/*", "s3://a.b/**", "s3://", "x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		l, err := ParseLocation(text)
		if err != nil {
			return
		}
		again, err := ParseLocation(l.Target())
		if err != nil {
			t.Fatalf("the target %q of %q does not parse: %v", l.Target(), text, err)
		}
		if again.Target() != l.Target() || again.Bucket != l.Bucket || again.Key != l.Key {
			t.Errorf("%q became %q and then %q", text, l.Target(), again.Target())
		}
	})
}
