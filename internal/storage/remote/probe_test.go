package remote_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/lakegate/lakegate/internal/storage"
	"github.com/lakegate/lakegate/internal/storage/remote"
	"github.com/lakegate/lakegate/internal/storage/storagetest"
)

func refuse(status int, code string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, "<Error><Code>"+code+"</Code><Message>internal words</Message></Error>")
	}
}

// Whatever is wrong with a service is said in one sentence, in our words.
func TestProbeSaysWhatIsWrong(t *testing.T) {
	at := &remote.Place{Bucket: "there"}
	for name, tt := range map[string]struct {
		answer http.HandlerFunc
		at     *remote.Place
		want   string
	}{
		"clock": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Date", time.Now().Add(-20*time.Minute).UTC().Format(http.TimeFormat))
		}, nil, "The clocks differ by"},
		"skew":   {refuse(403, "RequestTimeTooSkewed"), nil, "clocks differ too much"},
		"key":    {refuse(403, "InvalidAccessKeyId"), nil, "does not know the access key"},
		"secret": {refuse(403, "SignatureDoesNotMatch"), at, "secret access key does not belong"},
		"token":  {refuse(400, "ExpiredToken"), nil, "session token is not valid"},
		"region": {refuse(400, "AuthorizationHeaderMalformed"), at, "not in the Region us-east-1"},
		"redirect": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "http://x/")
			w.WriteHeader(302)
		}, nil, "redirects elsewhere"},
		"no bucket": {refuse(404, "NoSuchBucket"), at, "no bucket there"},
		"denied":    {refuse(403, "AccessDenied"), at, "may not list the bucket there"},
		"no S3":     {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }, nil, "may be none of S3"},
		"read only": {func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPut {
				refuse(403, "AccessDenied")(w, r)
				return
			}
			_, _ = io.WriteString(w, `<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>`)
		}, at, "cannot use s3:PutObject in there"},
	} {
		m, s := hostile(t, "", tt.answer)
		report := m.Endpoint().Probe(t.Context(), tt.at)
		if !strings.Contains(report.Problem, tt.want) || strings.Contains(report.Problem, "internal words") || strings.Contains(report.Problem, secret) {
			t.Errorf("%s: %q, want %q (%+v)", name, report.Problem, tt.want, report.Steps)
		}
		s.Close()
	}
}

// A test leaves nothing behind, in a bucket with versions either.
func TestProbeLeavesNothing(t *testing.T) {
	p := storagetest.VersityGW(t)
	e := open(t, p, nil)
	for _, versions := range []bool{false, true} {
		_, name := subject(e, "").New(t, storagetest.Want{Versions: versions})
		report := e.Probe(t.Context(), &remote.Place{Bucket: name})
		if report.Problem != "" {
			t.Errorf("%s (%+v)", report.Problem, report.Steps)
		}
		left, err := e.Mount(name, remote.Place{Bucket: name}).ListObjectVersions(t.Context(), &storage.ListObjectVersionsInput{MaxKeys: 100})
		if err != nil || len(left.Versions) > 0 {
			t.Errorf("versions %t: it left %+v, %v", versions, left, err)
		}
	}
	// versitygw makes objects of broken uploads, unless a checksum follows the content.
	report := open(t, p, func(c *remote.Config) { c.NoTrailers = true }).Probe(t.Context(), func() *remote.Place {
		_, name := subject(e, "").New(t, storagetest.Want{})
		return &remote.Place{Bucket: name}
	}())
	if !strings.Contains(report.Problem, "broke off") {
		t.Errorf("%q (%+v)", report.Problem, report.Steps)
	}
}
