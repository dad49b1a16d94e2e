package ldap

// move is a change of values that are unique: has are freed by it, wants have to be free before it.
type move struct {
	change     Change
	has, wants []string
}

// inOrder puts moves into an order in which each finds its values free, as far as the moves themselves are in each other's
// way. Where they go round in a circle, one of them is parked first: it gives up what it has, and comes again later.
func inOrder(moves []move) []Change {
	holder := map[string]int{}
	for i, m := range moves {
		for _, v := range m.has {
			holder[v] = i
		}
	}
	// waits counts what stands in the way of a move; waiters are the moves that wait for a value.
	waits, waiters := make([]int, len(moves)), map[string][]int{}
	var ready []int
	for i, m := range moves {
		for _, v := range m.wants {
			if h, held := holder[v]; held && h != i {
				waits[i]++
				waiters[v] = append(waiters[v], i)
			}
		}
		if waits[i] == 0 {
			ready = append(ready, i)
		}
	}
	free := func(i int, values []string) {
		for _, v := range values {
			if h, held := holder[v]; !held || h != i {
				continue
			}
			delete(holder, v)
			for _, w := range waiters[v] {
				if waits[w]--; waits[w] == 0 {
					ready = append(ready, w)
				}
			}
		}
	}
	var order []Change
	done := make([]bool, len(moves))
	next := 0
	for len(order) < 2*len(moves) {
		if len(ready) == 0 {
			for next < len(moves) && (done[next] || waits[next] == 0) {
				next++
			}
			if next == len(moves) {
				break
			}
			parked := moves[next].change
			parked.Parked = true
			order = append(order, parked)
			free(next, moves[next].has)
			next++
			continue
		}
		i := ready[0]
		ready = ready[1:]
		done[i] = true
		order = append(order, moves[i].change)
		free(i, moves[i].has)
	}
	return order
}
