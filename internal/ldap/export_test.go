package ldap

import "github.com/lakegate/lakegate/internal/directory"

// Put and ParkedName are what the model of the directory has in common with the real one.
func (p *Person) Put(u *directory.User) { p.put(u) }

// ParkedName is the name of what waits for another.
var ParkedName = parkedName

// Canonical, GUID and Instant read what servers write.
var (
	Canonical = canonical
	GUID      = guid
	Instant   = instant
	Plain     = plain
)

// MaxMessage is the bound of a message.
const MaxMessage = maxMessage
