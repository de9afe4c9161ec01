package pmi

import (
	"strings"
)

// put stores a value at once: that is visible earlier than at the barrier,
// which no client minds. The name of the KVS is not looked at, there is one.
func (e *engine) put(rank int, m message) step {
	key, haveKey := m.get("key")
	value, haveValue := m.get("value")
	refuse := func(why string) step { return answer(rank, "put_result", "rc", "-1", "msg", why) }
	switch {
	case !haveKey || key == "":
		return refuse("no_key")
	case !haveValue:
		return refuse("no_value")
	case strings.HasPrefix(key, "PMI_"): // as hydra since 4.1; the mapping is one
		return refuse("key_is_reserved")
	case len(key) > serverKeyMax:
		return refuse("key_too_long")
	case len(value) > serverValueMax:
		return refuse("value_too_long")
	case m.stray() != "": // hydra and Slurm store the first word and say success
		return refuse("space_in_value")
	}
	if !e.store(e.kvs, key, value) {
		return refuse("kvs_is_full")
	}
	return answer(rank, "put_result", "rc", "0", "msg", "success")
}

// store sets key in a table, unless the ranks have stored too much already.
func (e *engine) store(table map[string]string, key, value string) bool {
	cost := len(value)
	if old, ok := table[key]; ok {
		cost -= len(old)
	} else {
		cost += len(key) + entryCost
	}
	if e.stored+cost > serverStore*e.size {
		return false
	}
	e.stored += cost
	table[strings.Clone(key)] = strings.Clone(value) // they are parts of a line that may be much longer
	return true
}

// remove takes key out of a table.
func (e *engine) remove(table map[string]string, key string) {
	e.stored -= len(table[key]) + len(key) + entryCost
	delete(table, key)
}

// invalidKey is PMI_ERR_INVALID_KEY of pmi.h, and of pmi2.h. Libraries that
// offer PMI-2 over this protocol (Flux's libpmi2, PMI2_Info_GetNodeAttr) ask
// again until the key is there if they get this code, and give up at any other.
const invalidKey = "4"

func (e *engine) get(rank int, m message) step {
	key, _ := m.get("key")
	value, ok := e.kvs[key]
	if !ok {
		return answer(rank, "get_result", "rc", invalidKey, "msg", "key_"+key+"_not_found", "value", "unknown")
	}
	return answer(rank, "get_result", "rc", "0", "msg", "success", "value", value)
}
