package remote

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/lakegate/lakegate/internal/storage"
)

// Step is one thing that Probe found out.
type Step struct {
	Name string
	// OK is false for what does not work; Note is for what works otherwise than it should.
	OK, Note bool
	Detail   string
}

// Report is what Probe found out. Problem is one sentence about the first thing that does not work, with what mends it;
// it is empty when all does.
type Report struct {
	Steps   []Step
	Problem string
}

func (r *Report) pass(name, detail string) {
	r.Steps = append(r.Steps, Step{Name: name, OK: true, Detail: detail})
}
func (r *Report) note(name, detail string) {
	r.Steps = append(r.Steps, Step{Name: name, OK: true, Note: true, Detail: detail})
}

func (r *Report) fail(name, problem string) {
	r.Steps = append(r.Steps, Step{Name: name, Detail: problem})
	if r.Problem == "" {
		r.Problem = problem
	}
}

// The clock of a service may differ from ours by 15 minutes before it refuses every signature.
const (
	refusedSkew = 15 * time.Minute
	doubtedSkew = time.Minute
)

// Probe asks the service for what this server needs of it: that it is reached, that the clocks agree, that the credentials
// are good, and with a place, that objects can be listed, written, read and deleted there. The object that it writes, under
// a name that nobody else has, it deletes again.
func (e *Endpoint) Probe(ctx context.Context, at *Place) *Report {
	r := &Report{}
	c := &call{method: http.MethodGet}
	if at != nil {
		c = &call{method: http.MethodHead, bucket: at.Bucket}
	}
	begun := e.now()
	a, err := e.knock(ctx, c)
	if err != nil {
		r.fail("reach", e.unreachable(err))
		return r
	}
	r.pass("reach", e.cfg.Endpoint+" answers")
	skewed := e.clock(r, a, begun)
	given := ""
	if a.StatusCode >= 300 {
		if given = code(a); given == "" {
			given = "without a code"
		}
	}
	a.close()
	if at != nil && a.StatusCode >= 300 && a.StatusCode != http.StatusNotFound {
		// An answer to HEAD does not say why. One to GET does, and needs no other permission.
		if b, err := e.knock(ctx, e.Mount("", *at).head()); err == nil {
			if b.StatusCode >= 300 {
				given = code(b)
			}
			b.close()
		}
	}
	if !e.admitted(r, a, given, at) || skewed || at == nil {
		return r
	}
	e.tryObjects(ctx, r, *at)
	return r
}

// head is a listing of one key, which fails as any other request would.
func (m *Mount) head() *call {
	c := m.bucket(http.MethodGet)
	c.query.add("max-keys", "1")
	c.query.given("prefix", m.place.Prefix)
	return c
}

// knock makes a call past the breaker: who tests wants to know now.
func (e *Endpoint) knock(ctx context.Context, c *call) (*answer, error) {
	ctx, cancel := context.WithTimeout(ctx, e.cfg.ConnectTimeout+10*time.Second)
	r, err := e.request(ctx, c)
	if err != nil {
		cancel()
		return nil, err
	}
	res, err := e.pool.RoundTrip(r)
	if err != nil {
		defer cancel()
		if ctx.Err() != nil {
			err = errStalled
		}
		return nil, err
	}
	w := newWatch(func(error) { cancel() }, e.cfg.AnswerTimeout, e.cfg.StallTimeout)
	w.begin(true)
	w.answered()
	return &answer{Response: res, body: &incoming{r: res.Body, left: res.ContentLength, watch: w, release: cancel}}, nil
}

func (e *Endpoint) unreachable(err error) string {
	why := explain(err)
	mend := map[string]string{
		"its host name cannot be resolved":                                   "Check the host name in the endpoint.",
		"its certificate is signed by an authority that is not trusted here": "Give the certificates of its authority (--ca-file).",
		"its certificate is for another host name":                           "Use the host name that its certificate is for.",
		"it does not speak TLS":                                              "Begin the endpoint with http:// if that is meant.",
		"it does not speak HTTP, or wants TLS":                               "Begin the endpoint with https://.",
	}[why]
	if mend == "" {
		mend = "Check the endpoint, the network between here and there, and that the service runs."
	}
	return fmt.Sprintf("%s is not reached: %s. %s", e.cfg.Endpoint, why, mend)
}

// clock compares the clocks.
func (e *Endpoint) clock(r *Report, a *answer, begun time.Time) (refused bool) {
	date, err := http.ParseTime(a.Header.Get("Date"))
	if err != nil {
		r.note("clock", "the service does not tell its time")
		return false
	}
	skew := date.Sub(begun).Round(time.Second)
	switch {
	case skew.Abs() >= refusedSkew:
		r.fail("clock", fmt.Sprintf("The clocks differ by %v, and signatures are refused from 15 minutes on: set the clock of this machine or of the service.", skew.Abs()))
		return true
	case skew.Abs() >= doubtedSkew:
		r.note("clock", fmt.Sprintf("the clocks differ by %v; from 15 minutes on requests are refused", skew.Abs()))
	default:
		r.pass("clock", fmt.Sprintf("the clocks differ by %v", skew.Abs()))
	}
	return false
}

// admitted says whether the credentials are good and the bucket is there.
func (e *Endpoint) admitted(r *Report, a *answer, given string, at *Place) bool {
	switch given {
	case "":
		r.pass("credentials", "the access key "+e.cfg.AccessKeyID+" is good")
		return true
	case "InvalidAccessKeyId":
		r.fail("credentials", "The service does not know the access key "+e.cfg.AccessKeyID+".")
	case "SignatureDoesNotMatch":
		r.fail("credentials", "The secret access key does not belong to the access key "+e.cfg.AccessKeyID+".")
	case "ExpiredToken", "InvalidToken", "TokenRefreshRequired":
		r.fail("credentials", "The session token is not valid, or no longer: give credentials that are.")
	case "RequestTimeTooSkewed":
		r.fail("clock", "The service says that the clocks differ too much: set the clock of this machine or of the service.")
	case "AuthorizationHeaderMalformed", "PermanentRedirect", "IllegalLocationConstraintException", "TemporaryRedirect":
		where := ""
		if region := a.Header.Get("X-Amz-Bucket-Region"); regionPattern.MatchString(region) {
			where = ", it says " + region
		}
		r.fail("region", fmt.Sprintf("The service is not in the Region %s%s: give its Region.", e.cfg.Region, where))
	case "NoSuchBucket", "NotFound", "NoSuchKey":
		if at == nil {
			r.note("credentials", "the service lists no buckets; test a bucket to know whether the access key is good")
			return false
		}
		r.fail("bucket", "There is no bucket "+at.Bucket+" at the service.")
	case "AccessDenied", "AllAccessDisabled", "UnauthorizedAccess":
		if at == nil {
			r.note("credentials", "the access key may not list buckets, which is not needed; test a bucket to know what it may")
			return false
		}
		r.fail("list", "The access key "+e.cfg.AccessKeyID+" may not list the bucket "+at.Bucket+", or is not known: give it s3:ListBucket.")
	default:
		if a.StatusCode >= 300 && a.StatusCode < 400 {
			r.fail("reach", "The endpoint redirects elsewhere: give the address of the service itself.")
			break
		}
		r.fail("credentials", fmt.Sprintf("The service refuses a signed request with status %d %s: the endpoint may be none of S3.", a.StatusCode, given))
	}
	return false
}

// tryObjects does what the gateway is going to do, and takes away what it wrote, versions and all.
func (e *Endpoint) tryObjects(ctx context.Context, r *Report, at Place) {
	m := e.Mount("test", at)
	key := "lakegate-test-" + strings.ToLower(rand.Text())
	content := "written by lakegate backend test; it may be deleted"
	ref := storage.ObjectRef{Key: key}
	try := func(name, action, done string, do func() error) bool {
		if err := do(); err != nil {
			r.fail(name, fmt.Sprintf("The access key %s cannot use %s in %s: %s.", e.cfg.AccessKeyID, action, at.Bucket, because(err)))
			return false
		}
		r.pass(name, done)
		return true
	}
	if !try("list", "s3:ListBucket", "objects can be listed", func() error {
		_, err := m.ListObjectsV2(ctx, &storage.ListObjectsV2Input{MaxKeys: 1})
		return err
	}) {
		return
	}
	var written []string // versions
	put := func(in *storage.PutObjectInput) error {
		out, err := m.PutObject(ctx, in)
		if err == nil && out.VersionID != "" {
			written = append(written, out.VersionID)
		}
		return err
	}
	body := func(value string) storage.Body {
		return storage.Body{Reader: strings.NewReader(content), Size: int64(len(content)), Checksum: storage.Checksum{Algorithm: storage.CRC32, Value: value}}
	}
	if !try("write", "s3:PutObject", "objects can be written", func() error {
		return put(&storage.PutObjectInput{Key: key, Body: body(""), Headers: storage.Headers{ContentType: "text/plain"}})
	}) {
		return
	}
	defer e.tidy(ctx, m, ref, &written)
	try("read", "s3:GetObject", "objects can be read", func() error {
		o, err := m.GetObject(ctx, &storage.GetObjectInput{ObjectRef: ref})
		if err != nil {
			return err
		}
		defer func() { _ = o.Body.Close() }()
		text, err := io.ReadAll(io.LimitReader(o.Body, 1024))
		if err == nil && string(text) != content {
			err = errors.New("another content came back")
		}
		return err
	})
	e.tryBroken(ctx, r, m, key+"-broken", at)
	if !e.cfg.VerifyHere {
		if err := put(&storage.PutObjectInput{Key: key, Body: body("AAAAAA==")}); err == nil {
			r.note("checksums", "the service does not verify checksums: let the gate do it (--checksums gate)")
		} else {
			r.pass("checksums", "a wrong checksum is refused")
		}
	}
	if err := put(&storage.PutObjectInput{Key: key, Body: body(""), IfNoneMatch: "*"}); err == nil {
		r.note("conditions", "the service does not know conditional writes: If-None-Match does not protect an object there")
	} else {
		r.pass("conditions", "conditional writes are decided")
	}
	if _, err := m.GetObjectTagging(ctx, ref); err != nil {
		r.note("tags", "the service has no tags of objects: "+because(err))
	} else {
		r.pass("tags", "objects can have tags")
	}
	try("delete", "s3:DeleteObject", "objects can be deleted", func() error {
		out, err := m.DeleteObject(ctx, &storage.DeleteObjectInput{ObjectRef: ref})
		if err == nil && out.DeleteMarker {
			written = append(written, out.VersionID)
		}
		return err
	})
}

// tryBroken sends an upload that breaks off, which must not become an object.
func (e *Endpoint) tryBroken(ctx context.Context, r *Report, m *Mount, key string, at Place) {
	ref := storage.ObjectRef{Key: key}
	half := io.MultiReader(strings.NewReader(strings.Repeat("broken ", 64<<10)), failing{})
	_, _ = m.PutObject(ctx, &storage.PutObjectInput{Key: key, Body: storage.Body{Reader: half, Size: 1 << 20}})
	// The service may still be busy with what it has.
	for range 10 {
		o, headErr := m.HeadObject(ctx, &storage.GetObjectInput{ObjectRef: ref})
		if headErr != nil {
			if !sleep(ctx, 20*time.Millisecond) {
				return
			}
			continue
		}
		written := []string{}
		if o.VersionID != "" {
			written = append(written, o.VersionID)
		}
		e.tidy(ctx, m, ref, &written)
		mend := "Let checksums follow the content (leave --no-trailers off)."
		if !e.cfg.NoTrailers {
			mend = "Nothing here protects from that."
		}
		r.fail("broken uploads", fmt.Sprintf("The service makes an object of an upload to %s that broke off. %s", at.Bucket, mend))
		return
	}
	r.pass("broken uploads", "an upload that breaks off leaves no object")
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// tidy deletes what was written, each version of it.
func (e *Endpoint) tidy(ctx context.Context, m *Mount, ref storage.ObjectRef, written *[]string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), e.cfg.AnswerTimeout)
	defer cancel()
	if len(*written) == 0 {
		_, _ = m.DeleteObject(ctx, &storage.DeleteObjectInput{ObjectRef: ref})
		return
	}
	for _, version := range *written {
		ref.VersionID = version
		if _, err := m.DeleteObject(ctx, &storage.DeleteObjectInput{ObjectRef: ref}); err != nil {
			e.log.WarnContext(ctx, "the object of a test is left at the storage", slog.String("key", ref.Key), slog.String("version", version), slog.Any("error", err))
		}
	}
}

// because says in a few words what an error of a mount is, for an administrator.
func because(err error) string {
	e, ok := errors.AsType[*storage.Error](err)
	switch {
	case !ok:
		return explain(err)
	case e.Err != nil:
		return strings.TrimPrefix(e.Code+" ("+e.Err.Error()+")", "InternalError ")
	}
	return e.Code
}
