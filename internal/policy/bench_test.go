package policy

import (
	"fmt"
	"strings"
	"testing"
)

// benchmarkPolicy has n statements about different buckets, the last of which is the one that the request needs.
func benchmarkPolicy(tb testing.TB, n int) *Document {
	tb.Helper()
	var statements []string
	for i := range n {
		statements = append(statements, fmt.Sprintf(`{"Sid": "Bucket%d", "Effect": "Allow",
			"Action": ["s3:GetObject", "s3:PutObject", "s3:List*"],
			"Resource": ["arn:aws:s3:::bucket-%[1]d", "arn:aws:s3:::bucket-%[1]d/${aws:username}/*"],
			"Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}, "StringEquals": {"aws:PrincipalTag/team": ["red", "blue"]}}}`, i))
	}
	statements[0] = `{"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}`
	d, err := Parse([]byte(`{"Version": "2012-10-17", "Statement": [`+strings.Join(statements, ",")+`]}`), Identity)
	if err != nil {
		tb.Fatal(err)
	}
	return d
}

func benchmarkRequest(n int, bucket string) *Request {
	return &Request{
		Principal: Principal{Type: User, Account: "111111111111", ARN: "arn:aws:iam::111111111111:user/mateo"},
		Action:    "s3:GetObject", Resource: "arn:aws:s3:::" + bucket + "/mateo/2026/report.csv", ResourceAccount: "111111111111",
		Context: Values{
			"aws:username": {"mateo"}, "aws:sourceip": {"10.1.2.3"}, "aws:securetransport": {"true"},
			"aws:principaltag/team": {"blue"},
		},
	}
}

func BenchmarkEvaluate(b *testing.B) {
	for _, n := range []int{10, 100} {
		policies := &Policies{Identity: []Named{{"bench", benchmarkPolicy(b, n)}}}
		allowed := benchmarkRequest(n, fmt.Sprintf("bucket-%d", n-1))
		refused := benchmarkRequest(n, "another")
		b.Run(fmt.Sprintf("allowed/%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if d := Evaluate(allowed, policies); !d.Allowed {
					b.Fatal(d.Reason)
				}
			}
		})
		b.Run(fmt.Sprintf("refused/%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if d := Evaluate(refused, policies); d.Allowed {
					b.Fatal(d.Reason)
				}
			}
		})
	}
}

func BenchmarkParse(b *testing.B) {
	text := benchmarkPolicy(b, 10).Text()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse([]byte(text), Identity); err != nil {
			b.Fatal(err)
		}
	}
}
