package pmi

// Names that the ranks of a job publish for each other (MPI_Publish_name) are
// a table. hydra keeps one per mpiexec as well.

func (e *engine) publish(rank int, m message) step {
	service, haveService := m.get("service")
	port, havePort := m.get("port")
	refuse := func(why string) step {
		return answer(rank, "publish_result", "info", "ok", "rc", "1", "msg", why)
	}
	switch {
	case !haveService || service == "" || !havePort:
		return refuse("no_service_or_port")
	case len(service) > serverValueMax || len(port) > serverValueMax:
		return refuse("name_too_long")
	case m.stray() != "":
		return refuse("space_in_name")
	}
	if _, taken := e.names[service]; taken {
		return refuse("key_already_present")
	}
	if !e.store(e.names, service, port) {
		return refuse("kvs_is_full")
	}
	return answer(rank, "publish_result", "info", "ok", "rc", "0", "msg", "success")
}

func (e *engine) lookup(rank int, m message) step {
	service, _ := m.get("service")
	port, ok := e.names[service]
	if !ok {
		return answer(rank, "lookup_result", "rc", "1", "msg", "service_not_found")
	}
	return answer(rank, "lookup_result", "port", port, "info", "ok", "rc", "0", "msg", "success")
}

func (e *engine) unpublish(rank int, m message) step {
	service, _ := m.get("service")
	rc, why := "0", "success"
	if _, ok := e.names[service]; ok {
		e.remove(e.names, service)
	} else {
		rc, why = "1", "service_not_found"
	}
	return answer(rank, "unpublish_result", "info", "ok", "rc", rc, "msg", why)
}
