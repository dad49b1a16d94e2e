package wire

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// vectors holds the public protocol test vectors, read when present.
const vectors = "../../../shared/vectors/aws-protocols"

type vectorSuite struct {
	Description string
	Metadata    struct {
		Protocol     string
		JSONVersion  string
		TargetPrefix string
	}
	Shapes map[string]*vectorShape
	Cases  []*vectorCase
}

type vectorCase struct {
	ID    string
	Given struct {
		Name string
		HTTP struct {
			Method       string
			RequestURI   string `json:"requestUri"`
			ResponseCode int    `json:"responseCode"`
		}
		Input, Output *vectorRef
		Endpoint      *struct{ HostPrefix string }
		Compression   *struct{ Encodings []string } `json:"requestcompression"`
	}
	// Input vectors say what a client sends for the parameters.
	Params     json.RawMessage
	Serialized struct {
		URI     string
		Body    *string
		Headers map[string]string
	}
	// Output vectors say what a client reads from the response.
	Result, Error json.RawMessage
	ErrorCode     string
	Response      struct {
		StatusCode int `json:"status_code"`
		Headers    map[string]string
		Body       string
	}
}

type vectorRef struct {
	Shape, LocationName, Location string
	Flattened                     bool
	TimestampFormat               string
	XMLAttribute                  bool `json:"xmlAttribute"`
	JSONValue                     bool `json:"jsonvalue"`
	IdempotencyToken              bool
	HostLabel                     bool
}

type vectorShape struct {
	Type                               string
	Members                            map[string]*vectorRef
	Required                           []string
	Member, Key, Value                 *vectorRef
	Enum                               []any
	Payload, TimestampFormat, Location string
	LocationName                       string
	Flattened, Union, Document         bool
}

// eachVector runs a test for every case of a protocol. Cases that need what no service of this server has are skipped by
// their reason, which skipped counts, so that nothing is skipped unseen.
func eachVector(t *testing.T, direction, protocol string, test func(t *testing.T, s *vectorSuite, c *vectorCase)) {
	text, err := os.ReadFile(filepath.Join(vectors, direction, protocol+".json"))
	if os.IsNotExist(err) {
		t.Skip("the public protocol vectors are not present")
	}
	if err != nil {
		t.Fatal(err)
	}
	var suites []*vectorSuite
	if err := json.Unmarshal(text, &suites); err != nil {
		t.Fatal(err)
	}
	exceptions := exceptionsOf(direction + "/" + protocol)
	held, excepted := 0, 0
	for _, s := range suites {
		for _, c := range s.Cases {
			t.Run(c.ID, func(t *testing.T) {
				if why := s.unspoken(t, direction, c); why != "" {
					t.Skip(why)
				}
				if why, ok := exceptions[c.ID]; ok {
					excepted++
					t.Skip(why)
				}
				test(t, s, c)
				held++
			})
		}
	}
	if excepted != len(exceptions) {
		t.Errorf("%d exceptions were met, want %d: one of them is no case any more", excepted, len(exceptions))
	}
	t.Logf("%d cases held", held)
}

// exceptionsOf are the cases of which a server cannot do its half, or does it in another way, each with its reason.
func exceptionsOf(suite string) map[string]string {
	const (
		basePath  = "the path of the client's endpoint is not the server's to know"
		token     = "the client makes the token itself: it is read and was not given"
		notSent   = "the client leaves out what is empty: it cannot be read"
		utc       = "times are written in UTC"
		tolerance = "clients ignore what a server must not write"
	)
	switch suite {
	case "input/rest-json":
		return map[string]string{
			"RestJsonHostWithPath": basePath, "RestJsonOmitsEmptyListQueryValues": notSent, "RestJsonQueryIdempotencyTokenAutoFill": token,
		}
	case "input/query":
		return map[string]string{"QueryProtocolIdempotencyTokenAutoFill": token, "QueryEmptyQueryMaps": notSent}
	case "input/rest-xml":
		return map[string]string{"QueryIdempotencyTokenAutoFill": token}
	case "output/json":
		return map[string]string{
			"AwsJson11DateTimeWithNegativeOffset": utc, "AwsJson11DateTimeWithPositiveOffset": utc, "handles_unexpected_json_output": tolerance,
			"AwsJson11DeserializeIgnoreType": tolerance, "AwsJson11StructuresDontDeserializeNullValues": tolerance,
		}
	case "output/rest-json":
		return map[string]string{
			"RestJsonDateTimeWithNegativeOffset": utc, "RestJsonDateTimeWithPositiveOffset": utc, "RestJsonDeserializesDenseSetMapAndSkipsNull": tolerance,
			"RestJsonDeserializeIgnoreType": tolerance, "RestJsonDoesntDeserializeNullStructureValues": tolerance,
		}
	case "output/query":
		return map[string]string{"AwsQueryDateTimeWithNegativeOffset": utc, "AwsQueryDateTimeWithPositiveOffset": utc}
	case "output/rest-xml":
		return map[string]string{"RestXmlDateTimeWithNegativeOffset": utc, "RestXmlDateTimeWithPositiveOffset": utc}
	}
	return nil
}

// unspoken says what a case needs that no model of this server has. The generator refuses models that need it.
func (s *vectorSuite) unspoken(t *testing.T, direction string, c *vectorCase) string {
	if c.Given.Compression != nil {
		return "compressed requests: no operation asks clients for it"
	}
	root, text := c.Given.Input, c.Params
	if direction == "output" {
		root, text = c.Given.Output, c.Result
	}
	if root == nil {
		return ""
	}
	var given any
	if len(text) > 0 {
		if err := json.Unmarshal(text, &given); err != nil {
			t.Fatal(err)
		}
	}
	return s.unspokenIn(direction, root.Shape, given)
}

// unspokenIn looks at the members that are given: another case of the suite may do without what a shape has.
func (s *vectorSuite) unspokenIn(direction, name string, given any) string {
	sh := s.Shapes[name]
	if sh.Payload != "" {
		return "payload members: no operation has one"
	}
	members, _ := given.(map[string]any)
	for _, member := range slices.Sorted(mapKeys(sh.Members)) {
		r := sh.Members[member]
		value, ok := members[member]
		if !ok {
			continue
		}
		switch kind := s.Shapes[r.Shape].Type; {
		case r.XMLAttribute:
			return "XML attributes: no operation has one"
		case r.Location == "headers":
			return "prefixed headers: no operation has them"
		case r.Location == "statusCode" && direction == "output":
			return "status codes as members: no operation has one"
		case r.JSONValue && r.Location == "header":
			return "JSON in a header: no operation has it"
		case r.Location != "" && kind == "map":
			return "a map in a query: no operation has one"
		case r.Location != "" && kind == "blob":
			return "bytes in a header: no operation has them"
		}
		if why := s.unspokenIn(direction, r.Shape, value); why != "" {
			return why
		}
	}
	return ""
}

// model makes the service model and the types of a suite, as the generator does from a model.
func (s *vectorSuite) model() *ServiceModel {
	protocol := map[string]Protocol{"json": JSON, "rest-json": RestJSON, "query": Query, "rest-xml": RestXML}[s.Metadata.Protocol]
	m := &ServiceModel{Name: "vectors", Protocol: protocol, TargetPrefix: s.Metadata.TargetPrefix, SigningNames: []string{"vectors"}, Shapes: map[string]*Shape{}}
	for name, sh := range s.Shapes {
		if sh.Type == "structure" && !sh.Document {
			continue
		}
		shape := &Shape{Flat: sh.Flattened, TimeFormat: sh.TimestampFormat}
		for _, v := range sh.Enum {
			if text, ok := v.(string); ok && sh.Type == "string" {
				shape.Enum = append(shape.Enum, text)
			}
		}
		switch sh.Type {
		case "list":
			shape.Item, shape.ItemName = sh.Member.Shape, sh.Member.LocationName
		case "map":
			shape.Key, shape.KeyName, shape.Item, shape.ItemName = sh.Key.Shape, sh.Key.LocationName, sh.Value.Shape, sh.Value.LocationName
		}
		m.Shapes[name] = shape
	}
	return m
}

// unrolled is how deep types that contain themselves are built: reflect cannot make them refer to themselves.
const unrolled = 8

func (s *vectorSuite) typeOf(m *ServiceModel, name string, depth int) reflect.Type {
	sh := s.Shapes[name]
	switch sh.Type {
	case "string":
		return reflect.TypeFor[string]()
	case "integer":
		return reflect.TypeFor[int]()
	case "long":
		return reflect.TypeFor[int64]()
	case "float", "double":
		return reflect.TypeFor[float64]()
	case "boolean":
		return reflect.TypeFor[bool]()
	case "timestamp":
		return timeType
	case "blob":
		return blobType
	case "list":
		return reflect.SliceOf(s.typeOf(m, sh.Member.Shape, depth+1))
	case "map":
		return reflect.MapOf(reflect.TypeFor[string](), s.typeOf(m, sh.Value.Shape, depth+1))
	}
	if sh.Document {
		return rawType
	}
	if depth > unrolled {
		return reflect.TypeFor[struct{}]()
	}
	var fields []reflect.StructField
	for i, member := range slices.Sorted(mapKeys(sh.Members)) {
		r := sh.Members[member]
		wireName := r.LocationName
		if wireName == "" {
			wireName = member
		}
		shape := r.Shape
		if r.TimestampFormat != "" {
			shape = fmt.Sprintf("%s/%s", r.Shape, r.TimestampFormat)
			m.Shapes[shape] = &Shape{TimeFormat: r.TimestampFormat}
		}
		// Botocore's rule for flat lists: the name of the items, where there is one, stands for the list's.
		target := s.Shapes[r.Shape]
		tag := []string{wireName, shape}
		if r.Location != "" && r.Location != "statusCode" {
			tag = append(tag, r.Location)
		}
		if r.Flattened || target.Flattened {
			tag = append(tag, "flat")
		}
		if sh.Union {
			tag = append(tag, "union")
		}
		typ := s.typeOf(m, r.Shape, depth+1)
		if isScalar(typ) || isStruct(typ) {
			typ = reflect.PointerTo(typ)
		}
		fields = append(fields, reflect.StructField{
			Name: fmt.Sprintf("F%d", i), Type: typ, Tag: reflect.StructTag(fmt.Sprintf("aws:%q", strings.Join(tag, ","))),
		})
	}
	return reflect.StructOf(fields)
}

func mapKeys[V any](m map[string]V) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// plain turns a value into what the vectors write of it: times as seconds, bytes as texts, structures as maps of what is
// set.
func (s *vectorSuite) plain(v reflect.Value, name string) any {
	v = reflect.Indirect(v)
	sh := s.Shapes[name]
	switch t := v.Type(); {
	case t == timeType:
		return float64(v.Interface().(time.Time).UnixMilli()) / 1000
	case t == blobType:
		return string(v.Bytes())
	case t == rawType:
		var doc any
		_ = json.Unmarshal(v.Bytes(), &doc)
		return doc
	case t.Kind() == reflect.Struct:
		m := map[string]any{}
		for i, member := range slices.Sorted(mapKeys(sh.Members)) {
			if i < v.NumField() && !isAbsent(v.Field(i)) {
				m[member] = s.plain(v.Field(i), sh.Members[member].Shape)
			}
		}
		return m
	case t.Kind() == reflect.Slice:
		list := make([]any, v.Len())
		for i := range v.Len() {
			list[i] = s.plain(v.Index(i), sh.Member.Shape)
		}
		return list
	case t.Kind() == reflect.Map:
		m := map[string]any{}
		for _, k := range sortedMapKeys(v) {
			m[k] = s.plain(v.MapIndex(reflect.ValueOf(k)), sh.Value.Shape)
		}
		return m
	case t.Kind() == reflect.Float64:
		if f := v.Float(); math.IsNaN(f) || math.IsInf(f, 0) {
			return string(appendFloat(nil, f))
		}
		return v.Float()
	case v.CanInt():
		return float64(v.Int())
	default:
		return v.Interface()
	}
}

// fill is the other way round: it puts what the vectors write into a value.
func (s *vectorSuite) fill(v reflect.Value, x any, name string) {
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	sh := s.Shapes[name]
	switch t := v.Type(); {
	case t == timeType:
		v.Set(reflect.ValueOf(time.UnixMilli(int64(math.Round(x.(float64) * 1000))).UTC()))
	case t == blobType:
		v.SetBytes([]byte(x.(string)))
	case t == rawType:
		text, _ := json.Marshal(x)
		v.SetBytes(text)
	case t.Kind() == reflect.Struct:
		given := x.(map[string]any)
		for i, member := range slices.Sorted(mapKeys(sh.Members)) {
			if value, ok := given[member]; ok && value != nil {
				s.fill(v.Field(i), value, sh.Members[member].Shape)
			}
		}
	case t.Kind() == reflect.Slice:
		items := x.([]any)
		v.Set(reflect.MakeSlice(t, len(items), len(items)))
		for i := range items {
			s.fill(v.Index(i), items[i], sh.Member.Shape)
		}
	case t.Kind() == reflect.Map:
		v.Set(reflect.MakeMap(t))
		for k, value := range x.(map[string]any) {
			item := reflect.New(t.Elem()).Elem()
			s.fill(item, value, sh.Value.Shape)
			v.SetMapIndex(reflect.ValueOf(k), item)
		}
	case t.Kind() == reflect.Float64:
		if text, ok := x.(string); ok {
			f, _ := parseFloat(text)
			v.SetFloat(f)
			return
		}
		v.SetFloat(x.(float64))
	case v.CanInt():
		v.SetInt(int64(x.(float64)))
	default:
		v.Set(reflect.ValueOf(x))
	}
}
