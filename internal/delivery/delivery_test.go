package delivery_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lakegate/lakegate/internal/api/cloudtrail"
	"github.com/lakegate/lakegate/internal/storage"
	"github.com/lakegate/lakegate/internal/trail"
)

func only(t *testing.T, h *house, want ...string) {
	t.Helper()
	all := map[string]int{}
	for _, name := range want {
		all[name]++
	}
	if diff := cmp.Diff(all, h.delivered()); diff != "" {
		t.Errorf("delivered (-want +got):\n%s", diff)
	}
}

// TestFilesAndDigests of several nodes: each event once, in files of five minutes, and one chain of digests that names all
// of them, also over hours in which nothing happens and over a pause of the server.
func TestFilesAndDigests(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *house) {
		second := h.join()
		h.nodes[0].happen(h, account, "Before")
		h.trail()
		h.nodes[0].happen(h, account, "One")
		second.happen(h, account, "Two")
		h.tend()
		only(t, h)
		h.turn()
		only(t, h, "One", "Two")
		h.nodes[0].happen(h, account, "Three")
		h.nodes[0].happen(h, other, "Foreign")
		h.nodes[0].happen(h, "", "Nobodys")
		h.turn()
		only(t, h, "One", "Two", "Three", "Nobodys")
		h.pass(time.Hour)
		h.tend()
		second.happen(h, account, "Four")
		h.pass(5 * time.Hour)
		h.tend()
		h.turn()
		only(t, h, "One", "Two", "Three", "Nobodys", "Four")
		h.pass(time.Hour)
		h.tend()
		named := 0
		digests := h.digests()
		for i, d := range digests {
			named += len(d.LogFiles)
			if (d.PreviousDigestS3Object == nil) != (i == 0) {
				t.Errorf("digest %d has a digest before it: %v", i, d.PreviousDigestS3Object)
			}
		}
		if files := h.keys("CloudTrail"); named != len(files) || len(files) != 4 || len(digests) < 4 {
			t.Errorf("%d digests name %d of %d files", len(digests), named, len(files))
		}
		if first := digests[0]; first.DigestStartTime != "2026-11-02T09:58:30Z" || first.DigestEndTime != "2026-11-02T10:00:00Z" {
			t.Errorf("the first digest is for %s to %s", first.DigestStartTime, first.DigestEndTime)
		}
		if key := h.keys("CloudTrail")[0]; !strings.HasPrefix(key, "AWSLogs/111111111111/CloudTrail/us-east-1/2026/11/02/111111111111_CloudTrail_us-east-1_20261102T1000Z_") {
			t.Errorf("a file is %s", key)
		}
	})
}

// TestDeliveryThatIsInterrupted writes the same records to the same key when it goes on, wherever it was interrupted.
func TestDeliveryThatIsInterrupted(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *house) {
		h.trail()
		h.nodes[0].happen(h, account, "One")
		h.objects.before = errors.New("no such host")
		h.turn()
		only(t, h)
		if f := h.failure(); !strings.Contains(f, "no such host") {
			t.Errorf("the status is %q", f)
		}
		// What happens meanwhile is not in the file that is planned.
		h.nodes[0].happen(h, account, "Two")
		h.objects.before, h.objects.after = nil, errors.New("connection reset")
		h.turn()
		only(t, h, "One")
		first := h.objects.files()
		h.objects.after = nil
		h.turn()
		only(t, h, "One", "Two")
		if all := h.objects.files(); all[1] != first[0] {
			t.Errorf("the same records were written to %v", all)
		}
		if f := h.failure(); f != "" {
			t.Errorf("the status is %q", f)
		}
		// The process ended between the object and the place in the log.
		n, place := h.nodes[0], "trail-"+account+"-everything"
		before, _, err := n.log.Place(place)
		if err != nil {
			t.Fatal(err)
		}
		n.happen(h, account, "Three")
		h.turn()
		if err := n.log.SetPlace(place, before); err != nil {
			t.Fatal(err)
		}
		n.happen(h, account, "Four")
		h.turn()
		only(t, h, "One", "Two", "Three", "Four")
		h.pass(time.Hour)
		h.tend()
		h.digests()
	})
}

// TestStopAndStart: what happened before a stop comes, what happens after it does not, and a start begins another chain of
// digests.
func TestStopAndStart(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *house) {
		h.trail()
		h.nodes[0].happen(h, account, "Before")
		h.pass(time.Second)
		if _, err := h.nodes[0].StopLogging(admin(), &cloudtrail.StopLoggingInput{Name: "everything"}); err != nil {
			t.Fatal(err)
		}
		h.pass(time.Second)
		h.nodes[0].happen(h, account, "After")
		h.tend()
		only(t, h, "Before")
		h.pass(3 * time.Hour)
		h.tend()
		h.pass(3 * time.Hour)
		h.tend()
		if known, err := h.nodes[0].log.Known(); err != nil || known != nil {
			t.Errorf("the log holds records for %v, %v", known, err)
		}
		h.start()
		h.nodes[0].happen(h, account, "Again")
		h.turn()
		h.pass(time.Hour)
		h.tend()
		only(t, h, "Before", "Again")
		all := h.digests()
		starts := 0
		for _, d := range all {
			if d.PreviousDigestS3Object == nil {
				starts++
			}
		}
		if starts != 2 {
			t.Errorf("%d chains in %d digests", starts, len(all))
		}
	})
}

// TestTrailThatCameTooLate: what the log could not hold is missing, and the status says so; the rest comes.
func TestTrailThatCameTooLate(t *testing.T) {
	h := open(t, "sqlite")
	h.trail()
	h.objects.before = errors.New("down for a day")
	for range 60 {
		h.nodes[0].happen(h, account, "Early")
	}
	h.turn()
	h.pass(48 * time.Hour)
	h.nodes[0].expire(t, h)
	h.objects.before = nil
	h.nodes[0].happen(h, account, "Late")
	h.tend()
	if f := h.failure(); !strings.Contains(f, "records are missing") {
		t.Errorf("the status is %q", f)
	}
	h.turn()
	got := h.delivered()
	if got["Late"] != 1 || got["Early"] >= 60 {
		t.Errorf("delivered %v", got)
	}
}

// expire makes the log remove what it may not hold.
func (n *node) expire(t *testing.T, h *house) {
	t.Helper()
	first, _, err := n.log.Place("trail-" + account + "-everything")
	if err != nil {
		t.Fatal(err)
	}
	for {
		err := n.log.Read(t.Context(), first, func(trail.Position, []byte) error { return errSeen })
		if !errors.Is(err, errSeen) {
			return
		}
		n.happen(h, other, strings.Repeat("x", 5<<10))
		h.pass(25 * time.Hour)
	}
}

var errSeen = errors.New("seen")

// TestBucketThatDoesNotWantIt: each write is decided by the bucket's policy as it is then.
func TestBucketThatDoesNotWantIt(t *testing.T) {
	h := open(t, "sqlite")
	h.trail()
	h.nodes[0].happen(h, account, "One")
	h.allow("another")
	h.turn()
	only(t, h)
	if f := h.failure(); !strings.HasPrefix(f, "AccessDenied: cloudtrail.amazonaws.com may not s3:PutObject on arn:aws:s3:::audit-records/AWSLogs/") {
		t.Errorf("the status is %q", f)
	}
	if len(h.objects.written) > 0 {
		t.Errorf("the storage saw %v", h.objects.written)
	}
	h.allow("everything")
	h.turn()
	only(t, h, "One")
	if err := h.buckets.DeletePolicy(t.Context(), lake); err != nil {
		t.Fatal(err)
	}
	if _, err := h.objects.DeleteObject(t.Context(), &storage.DeleteObjectInput{ObjectRef: storage.ObjectRef{Bucket: lake, Key: h.keys("CloudTrail")[0]}}); err != nil {
		t.Fatal(err)
	}
}

func TestOperationsThatAreRefused(t *testing.T) {
	h := open(t, "sqlite")
	h.trail()
	n := h.nodes[0]
	arn := "arn:aws:cloudtrail:us-east-1:" + account + ":trail/everything"
	create := func(ctx context.Context, change func(in *cloudtrail.CreateTrailInput)) error {
		in := &cloudtrail.CreateTrailInput{Name: "another", S3BucketName: lake}
		change(in)
		_, err := n.CreateTrail(ctx, in)
		return err
	}
	selectors := func(in cloudtrail.PutEventSelectorsInput) error {
		in.TrailName = "everything"
		_, err := n.PutEventSelectors(admin(), &in)
		return err
	}
	basic := func(change func(*cloudtrail.EventSelector)) error {
		s := cloudtrail.EventSelector{}
		change(&s)
		return selectors(cloudtrail.PutEventSelectorsInput{EventSelectors: []cloudtrail.EventSelector{s}})
	}
	advanced := func(fields ...cloudtrail.AdvancedFieldSelector) error {
		return selectors(cloudtrail.PutEventSelectorsInput{AdvancedEventSelectors: []cloudtrail.AdvancedEventSelector{{FieldSelectors: fields}}})
	}
	is := func(field string, values ...string) cloudtrail.AdvancedFieldSelector {
		return cloudtrail.AdvancedFieldSelector{Field: field, Equals: values}
	}
	_, foreign := n.GetTrail(as(other, "admin"), &cloudtrail.GetTrailInput{Name: arn})
	_, foreignStop := n.StopLogging(as(other, "admin"), &cloudtrail.StopLoggingInput{Name: arn})
	_, foreignTags := n.ListTags(as(other, "admin"), &cloudtrail.ListTagsInput{ResourceIdList: []string{arn}})
	_, noRight := n.StopLogging(as(account, "reader"), &cloudtrail.StopLoggingInput{Name: "everything"})
	_, noRightDelete := n.DeleteTrail(as(account, "reader"), &cloudtrail.DeleteTrailInput{Name: arn})
	_, unknown := n.GetTrailStatus(admin(), &cloudtrail.GetTrailStatusInput{Name: "unknown"})
	_, noARN := n.GetTrail(admin(), &cloudtrail.GetTrailInput{Name: "arn:aws:s3:us-east-1:" + account + ":trail/everything"})
	_, tags := n.AddTags(admin(), &cloudtrail.AddTagsInput{ResourceId: arn, TagsList: []cloudtrail.Tag{{Key: "aws:x", Value: new("y")}}})
	_, twice := n.AddTags(admin(), &cloudtrail.AddTagsInput{ResourceId: arn, TagsList: []cloudtrail.Tag{{Key: "x"}, {Key: "x"}}})
	_, noName := n.AddTags(admin(), &cloudtrail.AddTagsInput{ResourceId: "everything"})
	_, keys := n.ListPublicKeys(admin(), &cloudtrail.ListPublicKeysInput{StartTime: new(h.now()), EndTime: new(h.now().Add(-time.Hour))})
	for name, test := range map[string]struct {
		err  error
		want string
	}{
		"another account's trail by its ARN":  {foreign, "TrailNotFoundException"},
		"to stop another account's trail":     {foreignStop, "TrailNotFoundException"},
		"the tags of another account's trail": {foreignTags, "ResourceNotFoundException"},
		"to stop without the right":           {noRight, "AccessDenied"},
		"to delete without the right":         {noRightDelete, "AccessDenied"},
		"to create without the right":         {create(as(account, "reader"), func(*cloudtrail.CreateTrailInput) {}), "AccessDenied"},
		"an unknown trail":                    {unknown, "TrailNotFoundException"},
		"an ARN of something else":            {noARN, "CloudTrailARNInvalidException"},
		"a bucket that is not there":          {create(admin(), func(in *cloudtrail.CreateTrailInput) { in.S3BucketName = "nowhere" }), "S3BucketDoesNotExistException"},
		"a bucket for another trail":          {create(admin(), func(*cloudtrail.CreateTrailInput) {}), "InsufficientS3BucketPolicyException"},
		"another account's name of the trail": {create(as(other, "admin"), func(in *cloudtrail.CreateTrailInput) { in.Name = "everything" }), "InsufficientS3BucketPolicyException"},
		"a place outside the policy":          {create(admin(), func(in *cloudtrail.CreateTrailInput) { in.Name, in.S3KeyPrefix = "everything", new("elsewhere") }), "InsufficientS3BucketPolicyException"},
		"a name that is taken":                {create(admin(), func(in *cloudtrail.CreateTrailInput) { in.Name = "everything" }), "TrailAlreadyExistsException"},
		"a name with a slash":                 {create(admin(), func(in *cloudtrail.CreateTrailInput) { in.Name = "../everything" }), "InvalidTrailNameException"},
		"a name like an address":              {create(admin(), func(in *cloudtrail.CreateTrailInput) { in.Name = "192.168.5.4" }), "InvalidTrailNameException"},
		"a short name":                        {create(admin(), func(in *cloudtrail.CreateTrailInput) { in.Name = "ab" }), "InvalidTrailNameException"},
		"adjacent marks in a name":            {create(admin(), func(in *cloudtrail.CreateTrailInput) { in.Name = "my-_trail" }), "InvalidTrailNameException"},
		"a prefix that climbs":                {create(admin(), func(in *cloudtrail.CreateTrailInput) { in.S3KeyPrefix = new("a/../../b") }), "InvalidS3PrefixException"},
		"a prefix that begins with a slash":   {create(admin(), func(in *cloudtrail.CreateTrailInput) { in.S3KeyPrefix = new("/a") }), "InvalidS3PrefixException"},
		"a prefix with a control character":   {create(admin(), func(in *cloudtrail.CreateTrailInput) { in.S3KeyPrefix = new("a\nb") }), "InvalidS3PrefixException"},
		"a bucket name of something else":     {create(admin(), func(in *cloudtrail.CreateTrailInput) { in.S3BucketName = "a/b" }), "InvalidS3BucketNameException"},
		"a KMS key":                           {create(admin(), func(in *cloudtrail.CreateTrailInput) { in.KmsKeyId = new("alias/x") }), "UnsupportedOperationException"},
		"a topic":                             {create(admin(), func(in *cloudtrail.CreateTrailInput) { in.SnsTopicName = new("x") }), "UnsupportedOperationException"},
		"a log group":                         {create(admin(), func(in *cloudtrail.CreateTrailInput) { in.CloudWatchLogsLogGroupArn = new("x") }), "UnsupportedOperationException"},
		"an organization's trail":             {create(admin(), func(in *cloudtrail.CreateTrailInput) { in.IsOrganizationTrail = new(true) }), "UnsupportedOperationException"},
		"all Regions without global events": {create(admin(), func(in *cloudtrail.CreateTrailInput) {
			in.IsMultiRegionTrail, in.IncludeGlobalServiceEvents = new(true), new(false)
		}), "InvalidParameterCombinationException"},
		"a reserved tag":                  {tags, "InvalidTagParameterException"},
		"a tag twice":                     {twice, "InvalidTagParameterException"},
		"tags of a name":                  {noName, "CloudTrailARNInvalidException"},
		"keys of a time that ends before": {keys, "InvalidTimeRangeException"},
		"no selectors":                    {selectors(cloudtrail.PutEventSelectorsInput{}), "InvalidEventSelectorsException"},
		"both kinds of selectors":         {selectors(cloudtrail.PutEventSelectorsInput{EventSelectors: make([]cloudtrail.EventSelector, 1), AdvancedEventSelectors: make([]cloudtrail.AdvancedEventSelector, 1)}), "InvalidEventSelectorsException"},
		"six selectors":                   {selectors(cloudtrail.PutEventSelectorsInput{EventSelectors: make([]cloudtrail.EventSelector, 6)}), "InvalidEventSelectorsException"},
		"data of another service": {basic(func(s *cloudtrail.EventSelector) {
			s.DataResources = []cloudtrail.DataResource{{Type: new("AWS::Lambda::Function"), Values: []string{"arn:aws:lambda"}}}
		}), "InvalidEventSelectorsException"},
		"a bucket without its slash": {basic(func(s *cloudtrail.EventSelector) {
			s.DataResources = []cloudtrail.DataResource{{Type: new("AWS::S3::Object"), Values: []string{"arn:aws:s3:::sales"}}}
		}), "InvalidEventSelectorsException"},
		"a hidden source":          {basic(func(s *cloudtrail.EventSelector) { s.ExcludeManagementEventSources = []string{"iam.amazonaws.com"} }), "InvalidEventSelectorsException"},
		"no category":              {advanced(is("eventName", "GetObject")), "InvalidEventSelectorsException"},
		"an unknown category":      {advanced(is("eventCategory", "NetworkActivity")), "InvalidEventSelectorsException"},
		"an unknown field":         {advanced(is("eventCategory", "Management"), is("sourceIPAddress", "x")), "InvalidEventSelectorsException"},
		"a field twice":            {advanced(is("eventCategory", "Management"), is("eventName", "x"), is("eventName", "y")), "InvalidEventSelectorsException"},
		"a field without values":   {advanced(is("eventCategory", "Management"), is("eventName")), "InvalidEventSelectorsException"},
		"data without a type":      {advanced(is("eventCategory", "Data")), "InvalidEventSelectorsException"},
		"a resource of management": {advanced(is("eventCategory", "Management"), is("resources.type", "AWS::S3::Object")), "InvalidEventSelectorsException"},
		"too many values":          {advanced(is("eventCategory", "Management"), is("eventName", slices.Repeat([]string{"x"}, 500)...)), "InvalidEventSelectorsException"},
	} {
		if got := code(test.err); !strings.HasPrefix(got, test.want) {
			t.Errorf("%s: %q (%v), want %s", name, got, test.err, test.want)
		}
	}
	// None of it changed anything.
	out, err := n.DescribeTrails(as(account, "reader"), &cloudtrail.DescribeTrailsInput{})
	if err != nil || len(out.TrailList) != 1 || *out.TrailList[0].HasCustomEventSelectors || out.TrailList[0].S3KeyPrefix != nil {
		t.Errorf("trails %+v, %v", out, err)
	}
}

// TestTrailsOfAnAccount as the API shows them, their number, tags and changes.
func TestTrailsOfAnAccount(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *house) {
		n := h.nodes[0]
		for _, name := range []string{"one", "two", "three", "four", "five"} {
			h.allow(name)
			if _, err := n.CreateTrail(admin(), &cloudtrail.CreateTrailInput{Name: name, S3BucketName: lake, TagsList: []cloudtrail.Tag{{Key: "team", Value: new(name)}}}); err != nil {
				t.Fatal(err)
			}
		}
		h.allow("six")
		_, err := n.CreateTrail(admin(), &cloudtrail.CreateTrailInput{Name: "six", S3BucketName: lake})
		if code(err) != "MaximumNumberOfTrailsExceededException" {
			t.Errorf("a sixth trail: %v", err)
		}
		some, err := n.DescribeTrails(admin(), &cloudtrail.DescribeTrailsInput{TrailNameList: []string{"two", "unknown"}})
		if err != nil || len(some.TrailList) != 1 || *some.TrailList[0].Name != "two" {
			t.Errorf("described %+v, %v", some, err)
		}
		none, err := n.ListTrails(as(other, "admin"), &cloudtrail.ListTrailsInput{})
		if err != nil || len(none.Trails) != 0 {
			t.Errorf("another account sees %+v, %v", none, err)
		}
		arn := "arn:aws:cloudtrail:us-east-1:" + account + ":trail/two"
		if _, err := n.AddTags(admin(), &cloudtrail.AddTagsInput{ResourceId: arn, TagsList: []cloudtrail.Tag{{Key: "a", Value: new("b")}}}); err != nil {
			t.Error(err)
		}
		if _, err := n.RemoveTags(admin(), &cloudtrail.RemoveTagsInput{ResourceId: arn, TagsList: []cloudtrail.Tag{{Key: "team"}, {Key: "a", Value: new("other")}}}); err != nil {
			t.Error(err)
		}
		tags, err := n.ListTags(admin(), &cloudtrail.ListTagsInput{ResourceIdList: []string{arn}})
		if err != nil || len(tags.ResourceTagList) != 1 || len(tags.ResourceTagList[0].TagsList) != 1 || *tags.ResourceTagList[0].TagsList[0].Value != "b" {
			t.Errorf("tags %+v, %v", tags, err)
		}
		h.allow("two")
		updated, err := n.UpdateTrail(admin(), &cloudtrail.UpdateTrailInput{Name: arn, EnableLogFileValidation: new(true), IsMultiRegionTrail: new(true)})
		if err != nil || !*updated.LogFileValidationEnabled || !*updated.IsMultiRegionTrail || *updated.S3BucketName != lake {
			t.Errorf("updated %+v, %v", updated, err)
		}
		if _, err := n.UpdateTrail(admin(), &cloudtrail.UpdateTrailInput{Name: "two", S3BucketName: new("nowhere")}); code(err) != "S3BucketDoesNotExistException" {
			t.Errorf("to a bucket that is not there: %v", err)
		}
		// A trail that was deleted holds nothing of the log.
		if _, err := n.StartLogging(admin(), &cloudtrail.StartLoggingInput{Name: "two"}); err != nil {
			t.Fatal(err)
		}
		if _, err := n.DeleteTrail(admin(), &cloudtrail.DeleteTrailInput{Name: "two"}); err != nil {
			t.Fatal(err)
		}
		h.tend()
		if known, err := n.log.Known(); err != nil || known != nil {
			t.Errorf("the log holds records for %v, %v", known, err)
		}
	})
}

// TestSelectors holds what basic and advanced selectors want against what CloudTrail's guide says of them.
func TestSelectors(t *testing.T) {
	h := open(t, "sqlite")
	h.trail()
	n := h.nodes[0]
	events := map[string]string{
		"CreateUser":   `"eventSource":"iam.amazonaws.com","readOnly":false,"managementEvent":true,"userIdentity":{"arn":"arn:aws:iam::111111111111:user/ana"}`,
		"ListUsers":    `"eventSource":"iam.amazonaws.com","readOnly":true,"managementEvent":true`,
		"Decrypt":      `"eventSource":"kms.amazonaws.com","readOnly":true,"managementEvent":true`,
		"GetRed":       `"eventSource":"s3.amazonaws.com","readOnly":true,"managementEvent":false,"resources":[{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::sales/red/a.csv"},{"type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::sales"}]`,
		"PutBlue":      `"eventSource":"s3.amazonaws.com","readOnly":false,"managementEvent":false,"errorCode":"AccessDenied","resources":[{"type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::sales"},{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::sales/blue/b.csv"}]`,
		"ListRed":      `"eventSource":"s3.amazonaws.com","readOnly":true,"managementEvent":false,"requestParameters":{"prefix":"red/x"},"resources":[{"type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::sales"}]`,
		"GetElsewhere": `"eventSource":"s3.amazonaws.com","readOnly":true,"managementEvent":false,"resources":[{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::sales2/red/a.csv"}]`,
	}
	data := func(values ...string) []cloudtrail.DataResource {
		return []cloudtrail.DataResource{{Type: new("AWS::S3::Object"), Values: values}}
	}
	field := func(name, operator string, values ...string) cloudtrail.AdvancedFieldSelector {
		f := cloudtrail.AdvancedFieldSelector{Field: name}
		*map[string]*[]string{"=": &f.Equals, "!=": &f.NotEquals, "^": &f.StartsWith, "!^": &f.NotStartsWith, "$": &f.EndsWith, "!$": &f.NotEndsWith}[operator] = values
		return f
	}
	read, write := cloudtrail.ReadWriteTypeReadOnly, cloudtrail.ReadWriteTypeWriteOnly
	for name, test := range map[string]struct {
		basic    []cloudtrail.EventSelector
		advanced [][]cloudtrail.AdvancedFieldSelector
		want     []string
	}{
		"nothing but a selector":       {basic: []cloudtrail.EventSelector{{}}, want: []string{"CreateUser", "ListUsers", "Decrypt"}},
		"changes":                      {basic: []cloudtrail.EventSelector{{ReadWriteType: &write}}, want: []string{"CreateUser"}},
		"reads without a source":       {basic: []cloudtrail.EventSelector{{ReadWriteType: &read, ExcludeManagementEventSources: []string{"kms.amazonaws.com"}}}, want: []string{"ListUsers"}},
		"all objects and nothing else": {basic: []cloudtrail.EventSelector{{IncludeManagementEvents: new(false), DataResources: data("arn:aws:s3")}}, want: []string{"GetRed", "PutBlue", "ListRed", "GetElsewhere"}},
		"the objects of a bucket":      {basic: []cloudtrail.EventSelector{{IncludeManagementEvents: new(false), DataResources: data("arn:aws:s3:::sales/")}}, want: []string{"GetRed", "PutBlue", "ListRed"}},
		"a prefix":                     {basic: []cloudtrail.EventSelector{{IncludeManagementEvents: new(false), DataResources: data("arn:aws:s3:::sales/red/")}}, want: []string{"GetRed", "ListRed"}},
		"two selectors": {basic: []cloudtrail.EventSelector{{ReadWriteType: &write}, {ReadWriteType: &read, IncludeManagementEvents: new(false), DataResources: data("arn:aws:s3:::sales2/")}},
			want: []string{"CreateUser", "GetElsewhere"}},
		"advanced: management": {advanced: [][]cloudtrail.AdvancedFieldSelector{{field("eventCategory", "=", "Management")}}, want: []string{"CreateUser", "ListUsers", "Decrypt"}},
		"advanced: not a name": {advanced: [][]cloudtrail.AdvancedFieldSelector{{field("eventCategory", "=", "Management"), field("eventName", "!=", "Decrypt", "ListUsers")}}, want: []string{"CreateUser"}},
		"advanced: a person":   {advanced: [][]cloudtrail.AdvancedFieldSelector{{field("eventCategory", "=", "Management"), field("userIdentity.arn", "$", "/ana")}}, want: []string{"CreateUser"}},
		"advanced: refused writes of objects": {advanced: [][]cloudtrail.AdvancedFieldSelector{{
			field("eventCategory", "=", "Data"), field("resources.type", "=", "AWS::S3::Object"), field("readOnly", "=", "false"), field("errorCode", "^", "Access")}}, want: []string{"PutBlue"}},
		"advanced: all objects but a prefix": {advanced: [][]cloudtrail.AdvancedFieldSelector{{
			field("eventCategory", "=", "Data"), field("resources.type", "=", "AWS::S3::Object"), field("resources.ARN", "!^", "arn:aws:s3:::sales/red/")}}, want: []string{"PutBlue", "GetElsewhere"}},
		"advanced: either": {advanced: [][]cloudtrail.AdvancedFieldSelector{
			{field("eventCategory", "=", "Management"), field("readOnly", "=", "false")},
			{field("eventCategory", "=", "Data"), field("resources.type", "=", "AWS::S3::Object"), field("resources.ARN", "^", "arn:aws:s3:::sales2/", "arn:aws:s3:::other/")}},
			want: []string{"CreateUser", "GetElsewhere"}},
	} {
		t.Run(name, func(t *testing.T) {
			in := &cloudtrail.PutEventSelectorsInput{TrailName: "everything", EventSelectors: test.basic}
			for _, fields := range test.advanced {
				in.AdvancedEventSelectors = append(in.AdvancedEventSelectors, cloudtrail.AdvancedEventSelector{FieldSelectors: fields})
			}
			if _, err := n.PutEventSelectors(admin(), in); err != nil {
				t.Fatal(err)
			}
			before := h.delivered()
			for event, members := range events {
				text := `{"eventTime":"` + h.now().Format("2006-01-02T15:04:05Z") + `","eventName":"` + event + `","recipientAccountId":"` + account + `",` + members + `}`
				if err := n.log.Append(true, []byte(text)); err != nil {
					t.Fatal(err)
				}
			}
			h.turn()
			var got []string
			for event, times := range h.delivered() {
				if times > before[event] {
					got = append(got, event)
				}
			}
			slices.Sort(got)
			if want := slices.Sorted(slices.Values(test.want)); !slices.Equal(got, want) {
				t.Errorf("delivered %v, want %v", got, want)
			}
		})
	}
}

// TestKeysAreRotated: each quarter another key signs, and what the former ones signed can still be verified.
func TestKeysAreRotated(t *testing.T) {
	onBothEngines(t, func(t *testing.T, h *house) {
		h.trail()
		for range 4 {
			h.pass(31 * 24 * time.Hour)
			h.tend()
		}
		signed := map[string]bool{}
		for _, d := range h.digestsSince(2000 * 24 * time.Hour) {
			signed[d.DigestPublicKeyFingerprint] = true
		}
		if len(signed) != 2 {
			t.Errorf("%d keys signed", len(signed))
		}
		today, err := h.nodes[0].ListPublicKeys(admin(), &cloudtrail.ListPublicKeysInput{})
		if err != nil || len(today.PublicKeyList) != 1 {
			t.Errorf("keys of today: %+v, %v", today, err)
		}
	})
}
