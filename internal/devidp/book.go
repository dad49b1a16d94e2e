package devidp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/goccy/go-yaml"
)

// What a change of the directory is refused for.
var (
	// ErrNoUser is returned where a userName or oid is nobody's.
	ErrNoUser = errors.New("no such user")
	// ErrNoGroup is returned where a group's displayName or oid is of none.
	ErrNoGroup = errors.New("no such group")
	// ErrNoClient is returned where a client_id is of none.
	ErrNoClient = errors.New("no such client")
	// ErrDisabled is returned where a person exists and is not active.
	ErrDisabled = errors.New("user is disabled")
)

// book is a directory with its indexes. It is never changed once it is in use.
type book struct {
	*Directory
	byName, byOID map[string]*User
	clients       map[string]*Client
	groups        map[string]*Group   // by oid and by folded displayName
	groupsOf      map[string][]string // userName → displayNames
}

func newBook(d *Directory) *book {
	b := &book{
		Directory: d,
		byName:    make(map[string]*User), byOID: make(map[string]*User),
		clients: make(map[string]*Client), groups: make(map[string]*Group),
		groupsOf: make(map[string][]string),
	}
	for i := range d.Users {
		u := &d.Users[i]
		b.byName[fold(u.UserName)], b.byOID[u.OID] = u, u
	}
	for i := range d.Groups {
		g := &d.Groups[i]
		b.groups[fold(g.DisplayName)], b.groups[g.OID] = g, g
		for _, m := range g.Members {
			b.groupsOf[m] = append(b.groupsOf[m], g.DisplayName)
		}
	}
	for i := range d.Clients {
		b.clients[d.Clients[i].ID] = &d.Clients[i]
	}
	return b
}

// user finds a person by userName or oid.
func (b *book) user(name string) (*User, error) {
	if u := b.byName[fold(name)]; u != nil {
		return u, nil
	}
	if u := b.byOID[name]; u != nil {
		return u, nil
	}
	return nil, fmt.Errorf("%q: %w", name, ErrNoUser)
}

// openDirectory reads the directory of an earlier start, or takes the one given for the first.
func (p *Provider) openDirectory(first *Directory) error {
	data, err := p.state.read(directoryFile)
	if err != nil {
		return err
	}
	if data != nil {
		d, err := ParseDirectory(data)
		if err != nil {
			return fmt.Errorf("read %s: %w", directoryFile, err)
		}
		p.book.Store(newBook(d))
		return nil
	}
	if first == nil {
		first = Default()
	}
	d := first.clone()
	if err := d.complete(); err != nil {
		return fmt.Errorf("open directory: %w", err)
	}
	return p.adopt(d)
}

// generated is the content of generated.json: the only place where a generated password is readable, for the developer
// who owns the file.
type generated struct {
	Passwords map[string]string `json:"passwords"` // by userName
	Secrets   map[string]string `json:"secrets"`   // by client_id
}

// adopt makes a complete directory the provider's own: passwords and secrets become hashes, the result is saved, then
// used.
func (p *Provider) adopt(d *Directory) error {
	var known generated
	if _, err := p.state.readJSON(generatedFile, &known); err != nil {
		return err
	}
	made := generated{Passwords: map[string]string{}, Secrets: map[string]string{}}
	for i := range d.Users {
		u := &d.Users[i]
		if u.Password == "" {
			if pw, ok := known.Passwords[u.UserName]; ok && u.PasswordHash != "" {
				made.Passwords[u.UserName] = pw
			}
			continue
		}
		if u.Password == generate {
			if u.Password = known.Passwords[u.UserName]; u.Password == "" {
				u.Password = secret(15)
			}
			made.Passwords[u.UserName] = u.Password
		}
		u.PasswordHash, u.Password = hashPassword(u.Password), ""
	}
	for i := range d.Clients {
		c := &d.Clients[i]
		if c.Secret == "" {
			if s, ok := known.Secrets[c.ID]; ok && c.SecretHash == digest(s) {
				made.Secrets[c.ID] = s
			}
			continue
		}
		if c.Secret == generate {
			if c.Secret = known.Secrets[c.ID]; c.Secret == "" {
				c.Secret = secret(24)
			}
			made.Secrets[c.ID] = c.Secret
		}
		c.SecretHash, c.Secret = digest(c.Secret), ""
	}
	data, err := yaml.Marshal(d)
	if err != nil {
		return fmt.Errorf("write %s: %w", directoryFile, err)
	}
	// The passwords go first: a directory whose generated passwords nobody can read would be of no use.
	if err := p.state.writeJSON(generatedFile, made); err != nil {
		return err
	}
	if err := p.state.write(directoryFile, data); err != nil {
		return err
	}
	p.book.Store(newBook(d))
	return nil
}

// GeneratedPassword returns the password that was generated for a person, if one was.
func (p *Provider) GeneratedPassword(userName string) (string, bool) {
	var known generated
	if _, err := p.state.readJSON(generatedFile, &known); err != nil {
		return "", false
	}
	u, err := p.book.Load().user(userName)
	if err != nil {
		return "", false
	}
	pw, ok := known.Passwords[u.UserName]
	return pw, ok
}

// ClientSecret returns the secret that was generated for a client, if one was.
func (p *Provider) ClientSecret(clientID string) (string, bool) {
	var known generated
	if _, err := p.state.readJSON(generatedFile, &known); err != nil {
		return "", false
	}
	s, ok := known.Secrets[clientID]
	return s, ok
}

// Directory returns a copy of the directory as it is now, with passwords and secrets as hashes.
func (p *Provider) Directory() *Directory { return p.book.Load().Directory.clone() }

// Replace makes d the directory. A person in it without a password keeps the one they have. Who is gone or disabled is
// signed out everywhere. When a target is connected, the change is pushed before Replace returns.
func (p *Provider) Replace(ctx context.Context, d *Directory) (Report, error) {
	return p.alter(ctx, func(now *Directory) error {
		next := d.clone()
		if next.Tenant == "" {
			next.Tenant = now.Tenant
		}
		if next.Tenant != now.Tenant {
			return faultAt("$.tenant", "cannot change, it is part of the issuer of every token")
		}
		if err := next.complete(); err != nil {
			return err
		}
		old := newBook(now)
		for i := range next.Users {
			u := &next.Users[i]
			if was := old.byOID[u.OID]; was != nil && u.Password == "" && u.PasswordHash == "" {
				u.PasswordHash = was.PasswordHash
			}
		}
		for i := range next.Clients {
			c := &next.Clients[i]
			if was := old.clients[c.ID]; was != nil && c.Public() {
				c.SecretHash = was.SecretHash
			}
		}
		*now = *next
		return nil
	})
}

// SetActive enables or disables a person, named by userName or oid. Who is disabled is signed out everywhere. When a
// target is connected, the change is pushed before SetActive returns.
func (p *Provider) SetActive(ctx context.Context, user string, active bool) (Report, error) {
	return p.alter(ctx, func(d *Directory) error {
		u, err := newBook(d).user(user)
		if err != nil {
			return err
		}
		u.Active = new(active)
		return nil
	})
}

// AddMember makes a person, named by userName or oid, a member of a group, named by displayName or oid; a member stays
// one. When a target is connected, the change is pushed before AddMember returns.
func (p *Provider) AddMember(ctx context.Context, group, user string) (Report, error) {
	return p.alterGroup(ctx, group, user, func(g *Group, name string) {
		if !slices.Contains(g.Members, name) {
			g.Members = append(g.Members, name)
		}
	})
}

// RemoveMember ends a membership, named as in AddMember; who is no member stays none. When a target is connected, the
// change is pushed before RemoveMember returns.
func (p *Provider) RemoveMember(ctx context.Context, group, user string) (Report, error) {
	return p.alterGroup(ctx, group, user, func(g *Group, name string) {
		g.Members = slices.DeleteFunc(g.Members, func(m string) bool { return m == name })
	})
}

func (p *Provider) alterGroup(ctx context.Context, group, user string, f func(*Group, string)) (Report, error) {
	return p.alter(ctx, func(d *Directory) error {
		b := newBook(d)
		u, err := b.user(user)
		if err != nil {
			return err
		}
		g := b.groups[fold(group)]
		if g == nil {
			return fmt.Errorf("%q: %w", group, ErrNoGroup)
		}
		f(g, u.UserName)
		return nil
	})
}

// alter changes a copy of the directory and puts it in the place of the old one.
func (p *Provider) alter(ctx context.Context, f func(*Directory) error) (Report, error) {
	if err := p.alterLocally(f); err != nil {
		return Report{}, fmt.Errorf("change directory: %w", err)
	}
	b := p.book.Load()
	p.log.LogAttrs(ctx, slog.LevelInfo, "changed the directory",
		slog.Int("users", len(b.Users)), slog.Int("groups", len(b.Groups)), slog.Int("clients", len(b.Clients)))
	if t := p.target.Load(); t != nil {
		return p.Push(ctx, *t)
	}
	return Report{}, nil
}

func (p *Provider) alterLocally(f func(*Directory) error) error {
	p.change.Lock()
	defer p.change.Unlock()
	d := p.book.Load().Directory.clone()
	if err := f(d); err != nil {
		return err
	}
	if err := p.adopt(d); err != nil {
		return err
	}
	b := p.book.Load()
	gone := func(oid string) bool { u := b.byOID[oid]; return u == nil || !u.IsActive() }
	p.codes.drop(func(g grant) bool { return gone(g.OID) })
	p.access.drop(func(g grant) bool { return gone(g.OID) })
	return p.sessions.endPeople(gone)
}
