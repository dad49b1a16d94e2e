package e2e

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3control/types"
)

// tool is a client of S3 that is no SDK, with its settings in the environment and in files of its own.
type tool struct {
	t    *testing.T
	path string
	dir  string // where it runs; empty for here
	env  []string
	args []string
}

func (c tool) try(args ...string) (stdout, stderr string, err error) {
	cmd := exec.Command(c.path, slices.Concat(c.args, args)...)
	cmd.Dir, cmd.Env = c.dir, c.env
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	return out.String(), errs.String(), err
}

func (c tool) run(args ...string) string {
	c.t.Helper()
	out, errs, err := c.try(args...)
	if err != nil {
		c.t.Fatalf("%s %s: %v\n%s%s", filepath.Base(c.path), strings.Join(args, " "), err, out, errs)
	}
	return out
}

// refused runs what must fail because access is denied.
func (c tool) refused(args ...string) {
	c.t.Helper()
	stdout, stderr, err := c.try(args...)
	out := stdout + stderr
	if err == nil || !strings.Contains(out, "403") && !strings.Contains(out, "AccessDenied") && !strings.Contains(out, "Access Denied") {
		c.t.Errorf("%s %s: %v\n%s", filepath.Base(c.path), strings.Join(args, " "), err, out)
	}
}

// TestClients: tools that speak S3 work unmodified with the credentials of a grant, within it and nowhere else.
func TestClients(t *testing.T) {
	s := newStory(t)
	ctx := t.Context()
	s.grant(mateo, "home/mateo/*", types.PermissionReadwrite)
	vended, _, err := vend(ctx, s.person(mateo), "s3://"+storyLake+"/home/mateo/*", types.PermissionReadwrite)
	if err != nil {
		t.Fatal(err)
	}
	if err := put(ctx, storage(s.data), "blue/secret"); err != nil {
		t.Fatal(err)
	}
	keys, err := vended.Credentials.Retrieve(ctx)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	// Large enough to be sent in parts by every tool, and nothing that could be compressed.
	large := make([]byte, 18<<20)
	if _, err := rand.Read(large); err != nil {
		t.Fatal(err)
	}
	files := filepath.Join(dir, "files")
	if err := os.MkdirAll(filepath.Join(files, "deep"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{"large": large, "deep/ä + b&c.txt": []byte("text"), "empty": nil} {
		if err := os.WriteFile(filepath.Join(files, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	base := []string{"HOME=" + dir, "PATH=" + os.Getenv("PATH"), "TMPDIR=" + dir}
	alike := func(t *testing.T, back string) {
		t.Helper()
		for _, name := range []string{"large", "deep/ä + b&c.txt", "empty"} {
			want, err := os.ReadFile(filepath.Join(files, name))
			got, err2 := os.ReadFile(filepath.Join(back, name))
			if err := cmp.Or(err, err2); err != nil || !bytes.Equal(want, got) {
				t.Errorf("%s came back with %d bytes of %d, %v", name, len(got), len(want), err)
			}
		}
	}

	t.Run("rclone", func(t *testing.T) {
		c := tool{t: t, path: need(t, "rclone"), env: append(slices.Clone(base),
			"RCLONE_CONFIG_LAKE_TYPE=s3", "RCLONE_CONFIG_LAKE_PROVIDER=Other", "RCLONE_CONFIG_LAKE_ENDPOINT=http://"+s.API, "RCLONE_CONFIG_LAKE_REGION=us-east-1",
			"RCLONE_CONFIG_LAKE_ACCESS_KEY_ID="+keys.AccessKeyID, "RCLONE_CONFIG_LAKE_SECRET_ACCESS_KEY="+keys.SecretAccessKey, "RCLONE_CONFIG_LAKE_SESSION_TOKEN="+keys.SessionToken,
			"RCLONE_CONFIG_LAKE_NO_CHECK_BUCKET=true", "RCLONE_CONFIG_LAKE_FORCE_PATH_STYLE=true", "RCLONE_CONFIG_LAKE_UPLOAD_CUTOFF=5Mi", "RCLONE_CONFIG_LAKE_CHUNK_SIZE=5Mi"),
			args: []string{"--retries", "1", "--low-level-retries", "1"}}
		there := "lake:" + storyLake + "/home/mateo/rclone"
		c.run("copy", files, there)
		c.run("check", files, there)
		c.run("copy", there, filepath.Join(dir, "rclone"))
		alike(t, filepath.Join(dir, "rclone"))
		c.run("moveto", there+"/empty", there+"/still empty")
		if out := c.run("lsf", "-R", "--files-only", there); out != "deep/ä + b&c.txt\nlarge\nstill empty\n" {
			t.Errorf("listed %q", out)
		}
		c.run("purge", there)
		c.refused("cat", "lake:"+storyLake+"/blue/secret")
		// Some versions take a refused HEAD for a file, and say that instead.
		if out, _, err := c.try("copy", files, "lake:"+storyLake+"/blue"); err == nil {
			t.Errorf("copied to the blue prefix:\n%s", out)
		}
	})

	t.Run("s3cmd", func(t *testing.T) {
		s3cfg := filepath.Join(dir, "s3cfg")
		text := "[default]\naccess_key = " + keys.AccessKeyID + "\nsecret_key = " + keys.SecretAccessKey + "\naccess_token = " + keys.SessionToken +
			"\nhost_base = " + s.API + "\nhost_bucket = " + s.API + "\nuse_https = False\nsignature_v2 = False\nmultipart_chunk_size_mb = 5\nmax_retries = 1\n"
		if err := os.WriteFile(s3cfg, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c := tool{t: t, path: need(t, "s3cmd"), env: append(slices.Clone(base), "LC_ALL=C.UTF-8"), args: []string{"-c", s3cfg, "--no-progress"}}
		there := "s3://" + storyLake + "/home/mateo/s3cmd/"
		c.run("put", "--recursive", files+"/", there)
		back := filepath.Join(dir, "s3cmd")
		if err := os.Mkdir(back, 0o755); err != nil {
			t.Fatal(err)
		}
		c.run("get", "--recursive", there, back+"/")
		alike(t, back)
		c.run("del", "--recursive", "--force", there)
		if out := c.run("ls", there); out != "" {
			t.Errorf("after all is deleted: %q", out)
		}
		// It falls back to an older signature when it reads a refusal without a text, so it is asked for a listing.
		c.refused("ls", "s3://"+storyLake+"/blue/")
	})

	t.Run("restic", func(t *testing.T) {
		c := tool{t: t, path: need(t, "restic"), env: append(slices.Clone(base), "AWS_ACCESS_KEY_ID="+keys.AccessKeyID, "AWS_SECRET_ACCESS_KEY="+keys.SecretAccessKey,
			"AWS_SESSION_TOKEN="+keys.SessionToken, "AWS_DEFAULT_REGION=us-east-1", "RESTIC_PASSWORD=p", "RESTIC_REPOSITORY=s3:http://"+s.API+"/"+storyLake+"/home/mateo/restic"),
			args: []string{"--no-cache", "-o", "s3.bucket-lookup=path"}}
		c.run("init")
		c.run("backup", files)
		c.run("check", "--read-data")
		c.run("restore", "latest", "--target", filepath.Join(dir, "restic"))
		alike(t, filepath.Join(dir, "restic", files))
	})

	t.Run("nothing was written elsewhere", func(t *testing.T) {
		out, err := storage(s.data).ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: aws.String(storyLake), Prefix: aws.String("blue/")})
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range out.Contents {
			if name := *o.Key; strings.HasSuffix(name, "large") || strings.HasSuffix(name, "empty") {
				t.Errorf("there is %s", name)
			}
		}
	})
}
