package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// TestNoRecordNoAccess fills the disk of the audit log under a server that has to record everything.
func TestNoRecordNoAccess(t *testing.T) {
	config := filepath.Join(t.TempDir(), "lakegate.yaml")
	if err := os.WriteFile(config, []byte("audit: {required: true}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, dir: t.TempDir(), args: append([]string{"serve", "--management-account", dataAccount, "--config", config}, anyPorts(false)...)}
	audit := filepath.Join(p.dir, "audit")
	if err := os.Mkdir(audit, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", audit, "tmpfs", 0, "size=512k"); err != nil {
		t.Skipf("a file system cannot be mounted here: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(audit, syscall.MNT_DETACH) })
	p.launch()
	c := storage((&story{world: &world{process: p, t: t}}).administrator(dataAccount))
	lake := aws.String("lake")
	if _, err := c.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: lake}); err != nil {
		t.Fatal(err)
	}
	put := func(key string) error {
		_, err := c.PutObject(t.Context(), &s3.PutObjectInput{Bucket: lake, Key: &key, Body: strings.NewReader("x")})
		return err
	}
	list := func() error {
		_, err := c.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: lake})
		return err
	}
	var err error
	for n := 0; err == nil && n < 2000; n++ {
		err = list()
	}
	if code := codeOf(err); code != "ServiceUnavailable" {
		t.Fatalf("a full disk is answered with %q: %v", code, err)
	}
	for range 3 {
		if code := codeOf(put("unseen")); code != "ServiceUnavailable" {
			t.Errorf("an object is stored without a record: %q", code)
		}
	}
	if status, text := fetch(t, "http://"+p.Web+"/metrics"); status != http.StatusOK || !strings.Contains(text, "lakegate_audit_blocked 1") {
		t.Errorf("the metrics do not tell of it: %d", status)
	}
	if err := syscall.Mount("tmpfs", audit, "tmpfs", syscall.MS_REMOUNT, "size=8m"); err != nil {
		t.Fatal(err)
	}
	_ = list() // the record of this refusal is the next attempt
	_, err = c.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: lake, Key: aws.String("unseen")})
	if code := codeOf(err); code != "NotFound" {
		t.Errorf("the object of the refused request is there, or the server does not go on: %q, %v", code, err)
	}
	if err := put("seen"); err != nil {
		t.Errorf("with room on the disk: %v", err)
	}
	if out := p.lakegate("audit", "verify", "--dir", p.dir); !strings.Contains(out, "The chain holds") {
		t.Errorf("verify tells\n%s", out)
	}
	p.stop()
}
