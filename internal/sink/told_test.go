package sink

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// slowly is tell by way of the library.
func slowly(record []byte) (told, error) {
	var r struct {
		EventID            string `json:"eventID"`
		EventTime          string `json:"eventTime"`
		EventSource        string `json:"eventSource"`
		EventName          string `json:"eventName"`
		EventCategory      string `json:"eventCategory"`
		SourceIPAddress    string `json:"sourceIPAddress"`
		ErrorCode          string `json:"errorCode"`
		RequestID          string `json:"requestID"`
		RecipientAccountID string `json:"recipientAccountId"`
		Additional         struct {
			Decision string `json:"decision"`
			Person   string `json:"personUserName"`
		} `json:"additionalEventData"`
		Identity struct {
			OnBehalfOf struct {
				UserID string `json:"userId"`
			} `json:"onBehalfOf"`
		} `json:"userIdentity"`
	}
	err := json.Unmarshal(record, &r)
	return told{
		r.EventID, r.EventTime, r.EventSource, r.EventName, r.EventCategory, r.SourceIPAddress, r.ErrorCode, r.RequestID, r.RecipientAccountID,
		r.Additional.Decision, r.Additional.Person, r.Identity.OnBehalfOf.UserID,
	}, err
}

// whole are the records in a file of the trail's, as the log has them.
func whole(t testing.TB, path string) (all [][]byte) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	for from := json.NewDecoder(f); ; {
		var text json.RawMessage
		err := from.Decode(&text)
		if errors.Is(err, io.EOF) {
			return all
		}
		var b bytes.Buffer
		if err := errors.Join(err, json.Compact(&b, text)); err != nil {
			t.Fatal(err)
		}
		all = append(all, b.Bytes())
	}
}

// TestTell reads of every kind of record what the library does.
func TestTell(t *testing.T) {
	files, err := filepath.Glob("../trail/testdata/records/*.json")
	if err != nil || len(files) < 5 {
		t.Fatalf("%d records, %v", len(files), err)
	}
	some := 0
	for _, name := range files {
		for _, record := range whole(t, name) {
			want, err := slowly(record)
			if err != nil {
				t.Fatal(err)
			}
			if got := tell(record); got != want || got.eventID == "" {
				t.Errorf("%s: %+v, want %+v", name, got, want)
			}
			if want.person != "" && want.userID != "" {
				some++
			}
		}
	}
	if some == 0 {
		t.Error("no record names a person")
	}
	// What a client writes is not taken for what the server says.
	for record, want := range map[string]told{
		`{"requestParameters":{"errorCode":"x","a":["},{",{"eventID":"y"}]},"eventID":"e\u0031\"\\","readOnly":true,"additionalEventData":{"decision":"refused","x":{"decision":"allowed"}}}`: {eventID: `e1"\`, decision: "refused"},
		`{"eventID":7,"eventName":null,"errorCode":"z"}`:                     {errorCode: "z"},
		`{"userIdentity":{"userId":"not this","onBehalfOf":{"userId":"u"}}}`: {userID: "u"},
		`{"eventID":"cut`:   {},
		`{"eventID":"e","`:  {eventID: "e"},
		`["eventID","e"]`:   {},
		`{}`:                {},
		``:                  {},
		`{"eventID":"e"`:    {},
		`{"a":[[[,"eventID`: {},
	} {
		if got := tell([]byte(record)); got != want {
			t.Errorf("%s: %+v, want %+v", record, got, want)
		}
	}
}

// FuzzTell: what is a record is read as the library reads it, and nothing does harm.
func FuzzTell(f *testing.F) {
	f.Add([]byte(`{"eventID":"e\u0031","requestParameters":{"a":[1,2,{"b":"}"}]},"errorCode":"x","additionalEventData":{"decision":"refused"}}`))
	f.Add([]byte(`{"a":1,"eventID":"x"`))
	f.Fuzz(func(t *testing.T, text []byte) {
		_ = tell(text)
		// As records are: an object, compact, with each name once, and with members of the types that they have.
		var m map[string]json.RawMessage
		if json.Unmarshal(text, &m) != nil || m == nil {
			return
		}
		record, err := json.Marshal(m)
		if err != nil {
			return
		}
		for name := range m {
			for _, c := range []byte(name) {
				if c < ' ' || c > '~' || bytes.IndexByte([]byte(`"\\<>&`), c) >= 0 {
					return
				}
			}
		}
		want, err := slowly(record)
		if err != nil || len(want.eventID) == 0 || m["eventID"] == nil {
			return
		}
		if got := tell(record); got.eventID != want.eventID {
			t.Errorf("%q: %+v, want %+v", record, got, want)
		}
	})
}
