package wire_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/lakegate/lakegate/internal/wire"
)

// TestRecover: a panic becomes the error of its handler, whose client learns nothing of it.
func TestRecover(t *testing.T) {
	handler := func(do func()) (err error) {
		defer wire.Recover(&err)
		do()
		return nil
	}
	if err := handler(func() {}); err != nil {
		t.Errorf("without a panic: %v", err)
	}
	err := handler(func() { panic("secret of the house") })
	e, ok := errors.AsType[*wire.Error](err)
	if !ok || e.Kind != wire.KindInternal || e.Status != http.StatusInternalServerError || strings.Contains(e.Message, "secret") {
		t.Errorf("the panic became %#v", err)
	}
	if cause := errors.Unwrap(err); cause == nil || !strings.Contains(cause.Error(), "secret of the house") || !strings.Contains(cause.Error(), "panic_test.go") {
		t.Errorf("the log does not learn where it was: %v", cause)
	}
	defer func() {
		if p := recover(); p != http.ErrAbortHandler { //nolint:errorlint // the very value
			t.Errorf("breaking off became %v", p)
		}
	}()
	_ = handler(func() { panic(http.ErrAbortHandler) })
}
