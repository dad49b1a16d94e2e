package e2e

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3control"
	"github.com/aws/aws-sdk-go-v2/service/s3control/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// plugged is a client of boto3 that has its credentials from access grants: testdata/plugin.py as a process.
type plugged struct {
	t     *testing.T
	in    io.WriteCloser
	lines *bufio.Scanner
	errs  *lockedBuffer
}

// plug starts one with the credentials of the configuration.
func (s *story) plug(t *testing.T, cfg aws.Config, fallback string) *plugged {
	t.Helper()
	python := need(t, "python3")
	if err := exec.Command(python, "-c", "import boto3").Run(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("python3 has no boto3")
		}
		t.Skip("not run: python3 has no boto3")
	}
	key, err := cfg.Credentials.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	script, err := filepath.Abs("testdata/plugin.py")
	if err != nil {
		t.Fatal(err)
	}
	p := &plugged{t: t, errs: &lockedBuffer{}}
	cmd := exec.CommandContext(t.Context(), python, script, fallback)
	cmd.Env = append(s.environment(dataAccount), "AWS_ACCESS_KEY_ID="+key.AccessKeyID, "AWS_SECRET_ACCESS_KEY="+key.SecretAccessKey, "AWS_SESSION_TOKEN="+key.SessionToken)
	cmd.Stderr = p.errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if p.in, err = cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.lines = bufio.NewScanner(out)
	t.Cleanup(func() {
		_ = p.in.Close()
		_ = cmd.Wait()
	})
	return p
}

// step is a call that an application makes, and what is to become of it.
type step struct {
	what   string
	call   string
	params map[string]any
	// code of the answer, "" for success; whose credentials signed the request: "grant" or "own".
	code, used string
	// calls that the plugin made before it.
	calls []string
}

func (p *plugged) do(steps ...step) {
	p.t.Helper()
	for _, c := range steps {
		c.params["Bucket"] = storyLake
		line, err := json.Marshal(map[string]any{"Call": c.call, "Params": c.params})
		if err != nil {
			p.t.Fatal(err)
		}
		if _, err := p.in.Write(append(line, '\n')); err != nil || !p.lines.Scan() {
			p.t.Fatalf("%s: the client ended: %v\n%s", c.what, err, p.errs)
		}
		var got struct {
			Code, Used string
			Calls      []string
		}
		if err := json.Unmarshal(p.lines.Bytes(), &got); err != nil {
			p.t.Fatalf("%s: %v: %s", c.what, err, p.lines.Text())
		}
		if got.Code != c.code || got.Used != c.used || !slices.Equal(got.Calls, c.calls) {
			p.t.Errorf("%s:\n got %q by %s after %q\nwant %q by %s after %q", c.what, got.Code, got.Used, got.Calls, c.code, c.used, c.calls)
		}
	}
}

const (
	who  = "GetCallerIdentity"
	head = "HeadBucket"
)

// asks are the two calls by which a plugin asks for access when it does not know the bucket yet.
func asks(permission, target string) []string {
	return []string{"GetAccessGrantsInstanceForPrefix " + target, "GetDataAccess " + permission + " " + target}
}

type params = map[string]any

// TestPluginForBoto3: AWS's plugin for boto3 finds its way by the calls that it makes, and what it concludes from the answers
// for its caches is true here.
func TestPluginForBoto3(t *testing.T) {
	s := newStory(t)
	home := s.grant(mateo, "home/mateo/*", types.PermissionReadwrite)
	s.grant(mateo, "note*", types.PermissionRead)
	s.grant(mateo, "one/key.csv", types.PermissionRead)
	lake := "s3://" + storyLake
	for _, key := range []string{"one/key.csv", "notes/a", "notebook", "home/mateo/x1", "home/mateo/x2", "blue/secret"} {
		if err := put(t.Context(), storage(s.data), key); err != nil {
			t.Fatal(err)
		}
	}
	red := firstKey(t, storage(s.data), "red/")

	t.Run("a person", func(t *testing.T) {
		p := s.plug(t, s.person(mateo), "no fallback")
		p.do(
			step{"the first read of a bucket", "get_object", params{"Key": red}, "", "grant", append([]string{who, head}, asks("READ", lake+"/"+red)...)},
			step{"another of the same grant", "get_object", params{"Key": red}, "", "grant", []string{who}},
			step{"a list within it", "list_objects_v2", params{"Prefix": "red/"}, "", "grant", []string{who}},
			step{"a write", "put_object", params{"Key": "home/mateo/a", "Body": "text"}, "", "grant", []string{who, "GetDataAccess WRITE " + lake + "/home/mateo/a"}},
			step{"a read there", "get_object", params{"Key": "home/mateo/a"}, "", "grant", []string{who, "GetDataAccess READ " + lake + "/home/mateo/a"}},
			step{"a copy, for the common beginning", "copy_object", params{"CopySource": storyLake + "/home/mateo/a", "Key": "home/mateo/b"}, "", "grant",
				[]string{who, "GetDataAccess READWRITE " + lake + "/home/mateo/"}},
			step{"a batch", "delete_objects", params{"Delete": params{"Objects": []params{{"Key": "home/mateo/x1"}, {"Key": "home/mateo/x2"}}}}, "", "grant", []string{who}},
			step{"one key alone", "get_object", params{"Key": "one/key.csv"}, "", "grant", []string{who, "GetDataAccess READ " + lake + "/one/key.csv"}},
			step{"which is not kept", "get_object", params{"Key": "one/key.csv"}, "", "grant", []string{who, "GetDataAccess READ " + lake + "/one/key.csv"}},
			step{"a beginning that is no folder", "get_object", params{"Key": "notebook"}, "", "grant", []string{who, "GetDataAccess READ " + lake + "/notebook"}},
			step{"which is found by characters", "get_object", params{"Key": "notes/a"}, "", "grant", []string{who}},
			step{"the whole bucket", "list_objects_v2", params{}, "AccessDenied", "own", []string{who, "GetDataAccess READ " + lake}},
			step{"which is not asked again", "list_objects_v2", params{}, "AccessDenied", "own", []string{who}},
			step{"what is not granted", "get_object", params{"Key": "blue/secret"}, "AccessDenied", "own", []string{who, "GetDataAccess READ " + lake + "/blue/secret"}},
			step{"keys whose first folders begin alike", "delete_objects", params{"Delete": params{"Objects": []params{{"Key": "home/mateo/a"}, {"Key": "hot/b"}}}}, "AccessDenied", "own",
				[]string{who, "GetDataAccess WRITE " + lake + "/"}},
			step{"keys with nothing in common, which is not asked again", "delete_objects", params{"Delete": params{"Objects": []params{{"Key": "home/mateo/a"}, {"Key": "red/x"}}}}, "AccessDenied", "own",
				[]string{who}},
			step{"what grants are not about", "get_object_tagging", params{"Key": red}, "AccessDenied", "own", nil},
		)
		// The plugin keeps credentials for 54 minutes, whatever happens to their grant. They end all the same.
		if _, err := control(s.data).DeleteAccessGrant(t.Context(), &s3control.DeleteAccessGrantInput{AccountId: aws.String(dataAccount), AccessGrantId: &home}); err != nil {
			t.Fatal(err)
		}
		p.do(step{"after the grant is gone", "get_object", params{"Key": "home/mateo/a"}, "AccessDenied", "grant", []string{who}})
	})

	t.Run("a role, with a fallback", func(t *testing.T) {
		p := s.plug(t, s.engine(t), "fallback")
		p.do(
			step{"granted", "get_object", params{"Key": "notes/a"}, "", "grant", append([]string{who, head}, asks("READ", lake+"/notes/a")...)},
			step{"by a policy of its own", "get_object", params{"Key": red}, "", "own", []string{who, "GetDataAccess READ " + lake + "/" + red}},
			step{"by neither", "get_object", params{"Key": "blue/secret"}, "AccessDenied", "own", []string{who, "GetDataAccess READ " + lake + "/blue/secret"}},
		)
	})
}

// TestPluginForBoto3Strict: as at AWS a person's session may do nothing but ask for access; it learns the Region from a refusal.
func TestPluginForBoto3Strict(t *testing.T) {
	s := newStory(t, "--config", settings(t, "compat: strict\n"))
	lake := "s3://" + storyLake
	red := firstKey(t, storage(s.data), "red/")
	s.plug(t, s.person(mateo), "fallback").do(
		step{"a read", "get_object", params{"Key": red}, "", "grant", append([]string{who, head}, asks("READ", lake+"/"+red)...)},
		step{"not granted", "get_object", params{"Key": "blue/x"}, "AccessDenied", "own", []string{who, "GetDataAccess READ " + lake + "/blue/x"}},
	)
	if refused := s.records(func(r record) bool { return r.EventName == head && r.ErrorCode == "AccessDenied" }); len(refused) != 1 {
		t.Errorf("%d refused HeadBucket, want the one that told the Region", len(refused))
	}
}

// engine is the session of a role that has a grant on notes/* and may read red/* by a policy of its own.
func (s *story) engine(t *testing.T) aws.Config {
	t.Helper()
	ctx, roles, name := t.Context(), iam.NewFromConfig(s.data), aws.String("EngineRole")
	role, err := roles.CreateRole(ctx, &iam.CreateRoleInput{RoleName: name, AssumeRolePolicyDocument: aws.String(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` + dataAccount + `"},"Action":"sts:AssumeRole"}]}`)})
	if err != nil {
		t.Fatal(err)
	}
	_, err = roles.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: name, PolicyName: aws.String("Engine"), PolicyDocument: aws.String(
		`{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":["s3:GetDataAccess","s3:GetAccessGrantsInstanceForPrefix"],"Resource":"arn:aws:s3:us-east-1:` + dataAccount + `:access-grants/default"},
		{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::` + storyLake + `/red/*"}]}`)})
	if err != nil {
		t.Fatal(err)
	}
	s.grantTo(types.GranteeTypeIam, *role.Role.Arn, "notes/*", types.PermissionRead)
	return s.assumed(s.data, &sts.AssumeRoleInput{RoleArn: role.Role.Arn, RoleSessionName: aws.String("engine")})
}

// jvm is a client that has its credentials from access grants as AWS's plugin for Java 2 gets them: under Hadoop's S3A, EMRFS
// and Iceberg's S3FileIO. It knows the calls and the caches, not the threads.
type jvm struct {
	t       *testing.T
	cfg     aws.Config
	calls   []string
	account string            // of the caller, kept with the credentials
	owners  map[string]string // the account of a bucket's instance
	vended  map[string]aws.Config
	denied  map[string]error
}

func newJVM(t *testing.T, cfg aws.Config) *jvm {
	return &jvm{t: t, cfg: cfg, owners: map[string]string{}, vended: map[string]aws.Config{}, denied: map[string]error{}}
}

// client is for a request about a key, or a list of a prefix; "" is every key.
func (j *jvm) client(permission types.Permission, name string) (*s3.Client, error) {
	ctx := j.t.Context()
	if name == "" {
		name = "*"
	}
	target := "s3://" + storyLake + "/" + name
	if j.account == "" {
		j.calls = append(j.calls, who)
		out, err := sts.NewFromConfig(j.cfg).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
		if err != nil {
			return nil, err
		}
		j.account = *out.Account
	}
	if err := j.denied[string(permission)+target]; err != nil {
		return nil, err
	}
	for _, p := range []types.Permission{permission, types.PermissionReadwrite} {
		for level := target; level != "s3:"; level = level[:strings.LastIndex(level, "/")] {
			if cfg, ok := j.vended[string(p)+level]; ok {
				return storage(cfg), nil
			}
		}
		for level := target; level != "s3://"; level = level[:len(level)-1] {
			if cfg, ok := j.vended[string(p)+level+"*"]; ok {
				return storage(cfg), nil
			}
		}
	}
	if j.owners[storyLake] == "" {
		j.calls = append(j.calls, "GetAccessGrantsInstanceForPrefix "+target)
		out, err := control(j.cfg).GetAccessGrantsInstanceForPrefix(ctx, &s3control.GetAccessGrantsInstanceForPrefixInput{AccountId: &j.account, S3Prefix: &target})
		if err != nil {
			return nil, err
		}
		j.owners[storyLake] = strings.Split(*out.AccessGrantsInstanceArn, ":")[4]
	}
	j.calls = append(j.calls, "GetDataAccess "+string(permission)+" "+target)
	out, err := control(j.cfg).GetDataAccess(ctx, &s3control.GetDataAccessInput{AccountId: aws.String(j.owners[storyLake]), Target: &target, Permission: permission, Privilege: types.PrivilegeDefault})
	if err != nil {
		j.denied[string(permission)+target] = err
		return nil, err
	}
	if out.Credentials.Expiration == nil {
		j.t.Fatal("credentials without an expiration, by which the plugin keeps them")
	}
	cfg := with(j.cfg, credentials{*out.Credentials.AccessKeyId, *out.Credentials.SecretAccessKey, *out.Credentials.SessionToken})
	if matched := *out.MatchedGrantTarget; strings.HasSuffix(matched, "*") {
		j.vended[string(permission)+strings.TrimSuffix(matched, "/*")] = cfg
	}
	return storage(cfg), nil
}

// TestPluginForJava: what Hadoop, EMR and Iceberg do through AWS's plugin for Java: a table below a granted prefix is written
// and read, and the probes of its parents are refused without harm.
func TestPluginForJava(t *testing.T) {
	s := newStory(t)
	s.grant(mateo, "warehouse/sales/*", types.PermissionReadwrite)
	j := newJVM(t, s.person(mateo))
	lake := "s3://" + storyLake
	with := func(permission types.Permission, name string, do func(*s3.Client) error) string {
		c, err := j.client(permission, name)
		if err != nil {
			return "no credentials: " + codeOf(err)
		}
		return codeOf(do(c))
	}
	object := func(key string) func(*s3.Client) error {
		return func(c *s3.Client) error { return read(t.Context(), c, key) }
	}
	within := func(prefix string) func(*s3.Client) error {
		return func(c *s3.Client) error { return list(t.Context(), c, prefix) }
	}
	const part = "warehouse/sales/data/part-0"
	for _, c := range []struct {
		what, want string
		got        func() string
		calls      []string
	}{
		{"create a file", "", func() string {
			return with(types.PermissionWrite, part, func(c *s3.Client) error { return put(t.Context(), c, part) })
		}, append([]string{who}, asks("WRITE", lake+"/"+part)...)},
		{"read it", "", func() string { return with(types.PermissionRead, part, object(part)) }, []string{"GetDataAccess READ " + lake + "/" + part}},
		{"a folder probed as a key", "NoSuchKey", func() string {
			return with(types.PermissionRead, "warehouse/sales/data", object("warehouse/sales/data"))
		}, nil},
		{"the same as a list", "", func() string {
			return with(types.PermissionRead, "warehouse/sales/data/", within("warehouse/sales/data/"))
		}, nil},
		// It keeps the credentials of sales/* as good for the key sales too, which they are not.
		{"the folder of the grant, probed as a key", "AccessDenied", func() string { return with(types.PermissionRead, "warehouse/sales", object("warehouse/sales")) }, nil},
		{"the parent above the grant", "no credentials: AccessDenied", func() string { return with(types.PermissionRead, "warehouse", object("warehouse")) },
			[]string{"GetDataAccess READ " + lake + "/warehouse"}},
		{"the same again", "no credentials: AccessDenied", func() string { return with(types.PermissionRead, "warehouse", object("warehouse")) }, nil},
		{"the root", "no credentials: AccessDenied", func() string { return with(types.PermissionRead, "", within("")) }, []string{"GetDataAccess READ " + lake + "/*"}},
	} {
		j.calls = nil
		if got := c.got(); got != c.want || !slices.Equal(j.calls, c.calls) {
			t.Errorf("%s:\n got %q after %q\nwant %q after %q", c.what, got, j.calls, c.want, c.calls)
		}
	}
	// The plugin writes down a refusal by its status, not its code.
	_, _, err := vend(t.Context(), j.cfg, lake+"/blue/*", types.PermissionRead)
	if e, ok := errors.AsType[*awshttp.ResponseError](err); !ok || e.HTTPStatusCode() != http.StatusForbidden {
		t.Errorf("a refusal: %v", err)
	}
	// With access across Regions it asks for the bucket's first, and takes it from an answer that is no error.
	out, err := storage(s.person(mateo)).HeadBucket(t.Context(), &s3.HeadBucketInput{Bucket: aws.String(storyLake)})
	if err != nil || aws.ToString(out.BucketRegion) != "us-east-1" {
		t.Errorf("the bucket's Region: %v, %v", out, err)
	}
}
