package e2e

import (
	"bytes"
	"io"
	"maps"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3control/types"
)

// submit sends a form as a browser does and tells the status, the code of a refusal, and where it leads.
func submit(t *testing.T, url string, fields map[string]string, filename, content string) (status int, code, location string) {
	t.Helper()
	return submitAs(t, "browser", url, fields, filename, content)
}

// submitAs is submit by a named browser.
func submitAs(t *testing.T, agent, url string, fields map[string]string, filename, content string) (status int, code, location string) {
	t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for name, value := range fields {
		if err := w.WriteField(name, value); err != nil {
			t.Fatal(err)
		}
	}
	file, err := w.CreateFormFile("file", filename)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(file, content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, &body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", w.FormDataContentType())
	req.Header.Set("User-Agent", agent)
	once := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := once.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	_, code, _ = strings.Cut(string(text), "<Code>")
	code, _, _ = strings.Cut(code, "</Code>")
	return resp.StatusCode, code, resp.Header.Get("Location")
}

// TestFormUpload: a web page lets a browser upload with a form that was signed by the AWS SDK, with the credentials of a
// grant, and the form gives no more than its policy and the grant.
func TestFormUpload(t *testing.T) {
	s := newStory(t)
	ctx := t.Context()
	s.grant(mateo, "inbox/*", types.PermissionWrite)
	s.grant(mateo, "home/mateo/*", types.PermissionReadwrite)
	vended, _, err := vend(ctx, s.person(mateo), "s3://"+storyLake+"/inbox/*", types.PermissionWrite)
	if err != nil {
		t.Fatal(err)
	}
	everything := storage(s.data)
	sign := func(cfg aws.Config, key string, conditions ...any) (url string, fields map[string]string) {
		t.Helper()
		form, err := s3.NewPresignClient(storage(cfg)).PresignPostObject(ctx, &s3.PutObjectInput{Bucket: aws.String(storyLake), Key: &key},
			func(o *s3.PresignPostOptions) { o.Conditions = conditions })
		if err != nil {
			t.Fatal(err)
		}
		fields = map[string]string{}
		for name, value := range form.Values {
			fields[strings.ToLower(name)] = value
		}
		return form.URL, fields
	}
	url, fields := sign(vended, "inbox/${filename}", []any{"starts-with", "$key", "inbox/"}, []any{"content-length-range", 1, 10}, []any{"starts-with", "$success_action_status", ""}, []any{"starts-with", "$success_action_redirect", "http"})
	with := func(more map[string]string) map[string]string {
		f := maps.Clone(fields)
		maps.Copy(f, more)
		return f
	}
	t.Run("as signed", func(t *testing.T) {
		// The conditions want every field that they name, and a redirect with a target.
		status, code, location := submit(t, url, with(map[string]string{"success_action_status": "", "success_action_redirect": "https://app.example/done?n=1"}), "a.csv", "1,2")
		if status != http.StatusSeeOther || !strings.HasPrefix(location, "https://app.example/done?") || !strings.Contains(location, "key=inbox%2Fa.csv") {
			t.Fatalf("answered %d %s, to %q", status, code, location)
		}
		got, err := everything.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(storyLake), Key: aws.String("inbox/a.csv")})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = got.Body.Close() }()
		if text, err := io.ReadAll(got.Body); err != nil || string(text) != "1,2" {
			t.Errorf("stored %q, %v", text, err)
		}
	})
	t.Run("the trail names the person", func(t *testing.T) {
		found := s.records(func(r record) bool { return r.EventName == "PostObject" && r.ErrorCode == "" })
		if len(found) != 1 || found[0].Additional["accessGrantId"] == nil || found[0].UserIdentity.OnBehalfOf.UserId != s.userByName(mateo) {
			t.Errorf("recorded %+v", found)
		}
	})
	redirect := map[string]string{"success_action_status": "", "success_action_redirect": "https://app.example/"}
	for name, c := range map[string]struct {
		fields         map[string]string
		file           string
		status         int
		code, mustMiss string
	}{
		"another key than signed":    {map[string]string{"key": "blue/${filename}"}, "1", 403, "AccessDenied", "blue/x"},
		"a file name that climbs":    {nil, "1", 303, "", "x/../../blue/x"},
		"a field that is not signed": {map[string]string{"acl": "public-read"}, "1", 403, "AccessDenied", "inbox/y"},
		"larger than signed":         {nil, "12345678901", 400, "EntityTooLarge", "inbox/y"},
		"smaller than signed":        {nil, "", 400, "EntityTooSmall", "inbox/y"},
		"another signature":          {map[string]string{"x-amz-signature": strings.Repeat("0", 64)}, "1", 403, "SignatureDoesNotMatch", "inbox/y"},
		"without the session token":  {map[string]string{"x-amz-security-token": ""}, "1", 403, "InvalidAccessKeyId", "inbox/y"},
		"another bucket's field":     {map[string]string{"bucket": "other"}, "1", 303, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := with(redirect)
			maps.Copy(f, c.fields)
			filename := "y"
			if name == "another bucket's field" {
				filename = "z"
			} else if c.status == 303 {
				filename = c.mustMiss
			}
			status, code, _ := submit(t, url, f, filename, c.file)
			if status != c.status || code != c.code {
				t.Errorf("answered %d %q, want %d %q", status, code, c.status, c.code)
			}
			if c.mustMiss != "" && read(ctx, everything, c.mustMiss) == nil {
				t.Error("it is stored")
			}
		})
	}
	t.Run("a form signed for what no grant gives", func(t *testing.T) {
		url, fields := sign(vended, "blue/planted")
		if status, code, _ := submit(t, url, fields, "a", "1"); status != 403 || code != "AccessDenied" {
			t.Errorf("answered %d %q", status, code)
		}
		if read(ctx, everything, "blue/planted") == nil {
			t.Error("it is stored")
		}
	})
	t.Run("a form signed by the person's session", func(t *testing.T) {
		url, fields := sign(s.person(mateo), "home/mateo/form")
		if status, code, _ := submit(t, url, fields, "a", "1"); status != http.StatusNoContent || code != "" {
			t.Errorf("answered %d %q", status, code)
		}
	})
	t.Run("a form that nobody signed", func(t *testing.T) {
		if status, code, _ := submit(t, url, map[string]string{"key": "inbox/y"}, "a", "1"); status != 403 || code != "AccessDenied" {
			t.Errorf("answered %d %q", status, code)
		}
	})
	t.Run("the document of a 201", func(t *testing.T) {
		url, fields := sign(vended, "inbox/b", []any{"starts-with", "$success_action_status", ""})
		fields["success_action_status"] = "201"
		if status, code, location := submit(t, url, fields, "b", "1"); status != http.StatusCreated || !strings.HasSuffix(location, "/"+storyLake+"/inbox/b") {
			t.Errorf("answered %d %q, at %q", status, code, location)
		}
	})
}
