package server

import (
	"container/list"
	"net"
	"net/http"
	"sync"
)

// connections bounds the connections of a listener. One more than the bound is taken in and another closed for it: the
// one that has been without a request for the longest time, of those on which there was none yet if there are any, else of
// those that are kept for the next one. So heads that come a byte at a time, and connections on which nothing comes at all,
// cannot keep anybody out. A connection with a request is never closed for another; where all have one, the new one is.
type connections struct {
	most int

	mu    sync.Mutex
	all   map[net.Conn]*list.Element
	order list.List // of *connection, those that got or ended their last request first in front
}

type connection struct {
	net.Conn
	asking bool // it has a request
	asked  bool // it has had one
}

func newConnections(most int) *connections {
	return &connections{most: most, all: map[net.Conn]*list.Element{}}
}

// track is for http.Server.ConnState.
func (c *connections) track(conn net.Conn, state http.ConnState) {
	if closed := c.note(conn, state); closed != nil {
		_ = closed.Close()
	}
}

// note takes in what became of a connection, and says which one has to go for it.
func (c *connections) note(conn net.Conn, state http.ConnState) (closed net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.all[conn]
	switch state {
	case http.StateNew:
		if len(c.all) >= c.most {
			if closed = c.longest(); closed == nil {
				return conn
			}
		}
		c.all[conn] = c.order.PushBack(&connection{Conn: conn})
	case http.StateIdle, http.StateActive:
		if e != nil { // it was not closed for another meanwhile
			one := e.Value.(*connection) //nolint:forcetypeassert // there is nothing else in it
			one.asking, one.asked = state == http.StateActive, true
			c.order.MoveToBack(e)
		}
	default:
		if e != nil {
			c.order.Remove(e)
			delete(c.all, conn)
		}
	}
	return closed
}

// longest takes out the connection that has to go; nil where all have a request.
func (c *connections) longest() net.Conn {
	var last *list.Element
	for e := c.order.Front(); e != nil; e = e.Next() {
		one := e.Value.(*connection) //nolint:forcetypeassert // there is nothing else in it
		if !one.asked {
			last = e
			break
		}
		if last == nil && !one.asking {
			last = e
		}
	}
	if last == nil {
		return nil
	}
	conn := c.order.Remove(last).(*connection).Conn //nolint:forcetypeassert // there is nothing else in it
	delete(c.all, conn)
	return conn
}
