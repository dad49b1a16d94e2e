package devidp

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseDirectory(t *testing.T) {
	got, err := ParseDirectory([]byte(`
users:
  - userName: mateo@example.com
    givenName: Mateo
    familyName: Jackson
  - oid: 9a4c7e18-52f4-4d0b-b0d5-2c1b7e3a9f02
    userName: ana
    givenName: Ana
    familyName: Silva
    displayName: Ana S.
    email: ana@example.com
    active: false
    password: generate
groups:
  - displayName: Red Project Group
    members: [MATEO@example.com]
clients:
  - id: app
    redirectURIs: ["http://127.0.0.1/callback"]
`))
	if err != nil {
		t.Fatal(err)
	}
	want := &Directory{
		Tenant: DefaultTenant,
		Users: []User{
			{OID: got.Users[0].OID, UserName: "mateo@example.com", GivenName: "Mateo", FamilyName: "Jackson", DisplayName: "Mateo Jackson", Email: "mateo@example.com"},
			{OID: AnaOID, UserName: "ana", GivenName: "Ana", FamilyName: "Silva", DisplayName: "Ana S.", Email: "ana@example.com", Active: new(false), Password: "generate"},
		},
		Groups:  []Group{{OID: got.Groups[0].OID, DisplayName: "Red Project Group", Members: []string{"mateo@example.com"}}},
		Clients: []Client{{ID: "app", Name: "app", RedirectURIs: []string{"http://127.0.0.1/callback"}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("directory (-want +got):\n%s", diff)
	}
	again, err := ParseDirectory([]byte("users: [{userName: MATEO@example.com, givenName: M, familyName: J}]"))
	if err != nil {
		t.Fatal(err)
	}
	if again.Users[0].OID != got.Users[0].OID || got.Users[0].OID == got.Groups[0].OID {
		t.Errorf("derived ids: %s, %s and for the group %s", got.Users[0].OID, again.Users[0].OID, got.Groups[0].OID)
	}
}

func TestParseDirectoryNamesTheLine(t *testing.T) {
	const person = "users:\n  - userName: a@example.com\n    givenName: A\n    familyName: B\n"
	for _, tc := range []struct{ name, doc, want string }{
		{"unknown field", person + "    shoeSize: 44\n", `line 5: unknown field "shoeSize"`},
		{"unknown section", "people: []\n", `line 1: unknown field "people"`},
		{"doubled field", person + "    givenName: C\n", "line 5: "},
		{"wrong type", "users:\n  - userName: [a]\n", "line 2: "},
		{"broken syntax", "users:\n  - userName: \"a\n", "line 2: "},
		{"no given name", "users:\n  - userName: a@example.com\n    familyName: B\n", "line 2: users[0].givenName: is required"},
		{"no user name", "users:\n\n  - givenName: A\n    familyName: B\n", "line 3: users[0].userName: is required"},
		{"not an e-mail", person + "    email: nowhere\n", `line 5: users[0].email: "nowhere" is not an e-mail address`},
		{"not an oid", person + "    oid: 12\n", `line 5: users[0].oid: "12" is not a lower-case UUID`},
		{"short password", person + "    password: hush\n", "line 5: users[0].password: must have 8"},
		{"damaged hash", person + "    passwordHash: $argon2id$v=19$m=19456,t=2,p=1$x$y\n", "line 5: users[0].passwordHash: has a damaged"},
		{"dear hash", person + "    passwordHash: $argon2id$v=19$m=4194304,t=99,p=1$x$y\n", "line 5: users[0].passwordHash: must start"},
		{"user twice", person + "  - userName: A@EXAMPLE.com\n    givenName: A\n    familyName: B\n    oid: " + AnaOID + "\n", `line 5: users[1].userName: "A@EXAMPLE.com" is there twice`},
		{"oid twice", "users:\n  - {userName: a@example.com, givenName: A, familyName: B, oid: " + AnaOID + "}\n  - {userName: b@example.com, givenName: A, familyName: B, oid: " + AnaOID + "}\n", "line 3: users[1].oid"},
		{"member who is nobody", person + "groups:\n  - displayName: G\n    members:\n      - a@example.com\n      - b@example.com\n", `line 9: groups[0].members[1]: no user has the userName "b@example.com"`},
		{"member twice", person + "groups:\n  - displayName: G\n    members: [a@example.com, A@example.com]\n", "line 7: groups[0].members[1]"},
		{"group twice", "groups:\n  - displayName: G\n  - displayName: g\n", "line 3: groups[1]."},
		{"client twice", "clients:\n  - id: a\n  - id: a\n", `line 3: clients[1].id: "a" is there twice`},
		{"short secret", "clients:\n  - id: a\n    secret: hush\n", "line 3: clients[0].secret: must have 16"},
		{"redirect to elsewhere", "clients:\n  - id: a\n    redirectURIs:\n      - https://ok.example/\n      - http://not.example/\n", "line 5: clients[0].redirectURIs[1]"},
		{"tenant", "tenant: mine\n", "line 1: tenant: \"mine\" is not a lower-case UUID"},
		{"secret in the wrong form", person + "    password: |hush\n", "line 5: invalid header option"},
		{"second document", person + "---\nusers: []\n", "more than one document"},
		{"deep", strings.Repeat("[", 1<<16), "line 1: nested too deeply"},
		{"deep over lines", strings.Repeat("[\n", 1<<10), "line 33: nested too deeply"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := ParseDirectory([]byte(tc.doc))
			if err == nil || !strings.HasPrefix(err.Error(), "parse directory: "+tc.want) {
				t.Errorf("got  %v\nwant parse directory: %s…", err, tc.want)
			}
			if err != nil && strings.Contains(err.Error(), "hush") {
				t.Errorf("the error quotes a secret: %v", err)
			}
		})
	}
	// JSON is YAML, also when it is all on one line.
	var people []string
	for i := range 300 {
		people = append(people, fmt.Sprintf(`{"userName": "u%d@example.com", "givenName": "U", "familyName": "[%d]"}`, i, i))
	}
	if d, err := ParseDirectory([]byte(`{"users": [` + strings.Join(people, ", ") + `]}`)); err != nil || len(d.Users) != 300 {
		t.Errorf("JSON: %v", err)
	}
	if _, err := ParseDirectory(make([]byte, maxDirectory+1)); err == nil {
		t.Error("a directory of any size is taken")
	}
}

func TestDirectoryAsYAMLComesBack(t *testing.T) {
	d := testDirectory()
	if err := d.complete(); err != nil {
		t.Fatal(err)
	}
	data, err := d.YAML()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{mateosPw, appSecret, "assword", "ecret"} {
		if bytes.Contains(data, []byte(s+":")) || s != "ecret" && bytes.Contains(data, []byte(s)) {
			t.Errorf("the YAML has %q:\n%s", s, data)
		}
	}
	got, err := ParseDirectory(data)
	if err != nil {
		t.Fatal(err)
	}
	for i := range d.Users {
		d.Users[i].Password = ""
	}
	for i := range d.Clients {
		d.Clients[i].Secret = ""
	}
	if diff := cmp.Diff(d, got); diff != "" {
		t.Errorf("(-wrote +read):\n%s", diff)
	}
}

func TestReplaceKeepsPasswordsAndTenant(t *testing.T) {
	r := start(t)
	d := testDirectory()
	d.Users[0].Password, d.Users[0].DisplayName = "", "Mateo J."
	d.Users = d.Users[:1]
	d.Groups = nil
	d.Clients[2].Secret = ""
	if _, err := r.Replace(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	if u, ok := r.checkCredentials(t.Context(), "mateo@example.com", mateosPw); !ok || u.DisplayName != "Mateo J." {
		t.Errorf("Mateo's password is gone, or his new name is not there: %+v", u)
	}
	if r.Directory().Clients[2].Public() {
		t.Error("a client lost its secret")
	}
	d.Tenant = AnaOID
	if _, err := r.Replace(t.Context(), d); err == nil {
		t.Error("the tenant changed under the issuer")
	}
	if _, err := r.AddMember(t.Context(), "No Group", "mateo@example.com"); !isErr(err, ErrNoGroup) {
		t.Errorf("AddMember to no group: %v", err)
	}
	if _, err := r.SetActive(t.Context(), "ana@example.com", true); !isErr(err, ErrNoUser) {
		t.Errorf("SetActive of who is gone: %v", err)
	}
}

func TestDirectoryOverHTTP(t *testing.T) {
	r, b := start(t), newBrowser(t)
	u := originOf(r.Issuer()) + devDirectoryPath
	if a := b.get(u); a.status != 403 {
		t.Errorf("without the header: %d", a.status)
	}
	before := b.dev("GET", u, "")
	if a := b.dev("PUT", u, strings.Replace(before.body, "Ana Silva", "Ana S.", 1)); a.status != 200 {
		t.Fatalf("put: %d %s", a.status, a.body)
	}
	if after := b.dev("GET", u, ""); !strings.Contains(after.body, "Ana S.") || strings.Contains(after.body, "argon2") {
		t.Errorf("after: %s", after.body)
	}
	if a := b.dev("PUT", u, "users: [{}]"); a.status != 400 || !strings.Contains(a.body, "line 1") {
		t.Errorf("bad directory: %d %s", a.status, a.body)
	}
	if a := b.dev("PUT", u, strings.Repeat("#", maxDirectory+1)); a.status != 413 {
		t.Errorf("large directory: %d", a.status)
	}
	if a := b.dev("POST", originOf(r.Issuer())+devPushPath, ""); a.status != 409 {
		t.Errorf("push to nowhere: %d", a.status)
	}
}

func TestDefaultIsComplete(t *testing.T) {
	d := Default()
	if err := d.complete(); err != nil {
		t.Fatal(err)
	}
	got := map[string][]string{}
	for _, g := range d.Groups {
		for _, m := range g.Members {
			got[newBook(d).byName[m].DisplayName] = append(got[newBook(d).byName[m].DisplayName], g.DisplayName)
		}
	}
	want := map[string][]string{"Mateo Jackson": {"Red Project Group"}, "Ana Silva": {"Blue Project Group"}, "Wang Xiulan": {"Data Administrators"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if names := slices.Sorted(maps.Keys(newBook(d).clients)); !slices.Contains(names, DataAppID) {
		t.Errorf("clients %v", names)
	}
}

func FuzzParseDirectory(f *testing.F) {
	f.Add([]byte("tenant: 7c1f3f5e-5d0a-4c6b-9a57-0f4f6d1f8a10\nusers:\n  - {userName: a@b.c, givenName: A, familyName: B}\n"))
	f.Add([]byte("users:\n  - &a {userName: a@b.c, givenName: A, familyName: B}\n  - *a\n"))
	f.Add([]byte("groups:\n- displayName: \"\\x00\"\n  members: [a]\n"))
	f.Add([]byte("? [a, b]\n: !!binary |\n  R0lGODlh\n--- >\n ...\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := ParseDirectory(data)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "parse directory: ") {
				t.Errorf("error %v", err)
			}
			return
		}
		// What was taken is complete, so it is taken again and comes out the same.
		before := d.clone()
		if err := d.complete(); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(before, d); diff != "" {
			t.Error(diff)
		}
	})
}
