package wire

import (
	"fmt"
	"net/http"
	"runtime/debug"
)

// Recover turns the panic of a handler into its error, so that the request gets an answer and a record like any other. It
// is deferred with the address of the handler's error. http.ErrAbortHandler, with which a handler breaks a connection off,
// stays what it is.
func Recover(err *error) {
	p := recover()
	if p == nil {
		return
	}
	if p == http.ErrAbortHandler { //nolint:errorlint // the very value that net/http knows
		panic(p)
	}
	*err = Internal(fmt.Errorf("panic: %v\n%s", p, debug.Stack()))
}
