package e2e

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// TestCORS: a bucket says which pages may call it from a browser, which opens nothing to anybody without a signature.
func TestCORS(t *testing.T) {
	s := newStory(t)
	ctx, admin, lake := t.Context(), storage(s.data), aws.String(storyLake)
	at := "http://" + s.API + "/" + storyLake + "/red/x"
	ask := func(method, origin string, headers ...string) *http.Response {
		t.Helper()
		r, err := http.NewRequestWithContext(ctx, method, at, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		if origin != "" {
			r.Header.Set("Origin", origin)
		}
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp
	}
	before := ask("OPTIONS", "https://app.example", "Access-Control-Request-Method", "GET")
	if before.StatusCode != http.StatusForbidden {
		t.Errorf("without rules: %d", before.StatusCode)
	}
	rules := []s3types.CORSRule{{
		ID: aws.String("browser"), AllowedOrigins: []string{"https://app.example"}, AllowedMethods: []string{"GET", "PUT"}, AllowedHeaders: []string{"*"},
		ExposeHeaders: []string{"ETag"}, MaxAgeSeconds: aws.Int32(600),
	}}
	if _, err := admin.PutBucketCors(ctx, &s3.PutBucketCorsInput{Bucket: lake, CORSConfiguration: &s3types.CORSConfiguration{CORSRules: rules}}); err != nil {
		t.Fatal(err)
	}
	got, err := admin.GetBucketCors(ctx, &s3.GetBucketCorsInput{Bucket: lake})
	if err != nil || len(got.CORSRules) != 1 || *got.CORSRules[0].MaxAgeSeconds != 600 || !slices.Equal(got.CORSRules[0].ExposeHeaders, []string{"ETag"}) {
		t.Fatalf("read %+v, %v", got, err)
	}
	yes := ask("OPTIONS", "https://app.example", "Access-Control-Request-Method", "PUT", "Access-Control-Request-Headers", "Authorization, X-Amz-Date")
	if h := yes.Header; yes.StatusCode != http.StatusOK || h.Get("Access-Control-Allow-Origin") != "https://app.example" || h.Get("Access-Control-Max-Age") != "600" ||
		h.Get("Access-Control-Allow-Headers") != "authorization, x-amz-date" || h.Get("Access-Control-Expose-Headers") != "ETag" || !strings.Contains(h.Get("Vary"), "Origin") {
		t.Errorf("answered %d %v", yes.StatusCode, h)
	}
	for name, resp := range map[string]*http.Response{
		"another origin": ask("OPTIONS", "https://evil.example", "Access-Control-Request-Method", "PUT"),
		"another method": ask("OPTIONS", "https://app.example", "Access-Control-Request-Method", "DELETE"),
	} {
		if resp.StatusCode != http.StatusForbidden || resp.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: %d %v", name, resp.StatusCode, resp.Header)
		}
	}
	if resp := ask("OPTIONS", ""); resp.StatusCode != http.StatusBadRequest {
		t.Errorf("without an origin: %d", resp.StatusCode)
	}
	unsigned := ask("GET", "https://app.example")
	if unsigned.StatusCode != http.StatusForbidden || unsigned.Header.Get("Access-Control-Allow-Origin") != "https://app.example" {
		t.Errorf("a page without a signature: %d %v", unsigned.StatusCode, unsigned.Header)
	}
	if resp := ask("GET", "https://evil.example"); resp.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("another page may read the answer: %v", resp.Header)
	}
	if _, err := storage(s.person(mateo)).PutBucketCors(ctx, &s3.PutBucketCorsInput{Bucket: lake, CORSConfiguration: &s3types.CORSConfiguration{CORSRules: rules}}); codeOf(err) != "AccessDenied" {
		t.Errorf("a person changes the rules: %v", err)
	}
	if _, err := admin.DeleteBucketCors(ctx, &s3.DeleteBucketCorsInput{Bucket: lake}); err != nil {
		t.Fatal(err)
	}
	if _, err := admin.GetBucketCors(ctx, &s3.GetBucketCorsInput{Bucket: lake}); codeOf(err) != "NoSuchCORSConfiguration" {
		t.Errorf("after they are gone: %v", err)
	}
}
