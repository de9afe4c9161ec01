package file

import "github.com/fsnotify/fsnotify"

// watchDirectory hears of changes from the kernel. Where it cannot, as
// when the user's inotify instances are used up, there are only the looks.
func watchDirectory(dir string) (<-chan struct{}, func()) {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, func() {}
	}
	if err := watcher.Add(dir); err != nil {
		watcher.Close()
		return nil, func() {}
	}
	changed := make(chan struct{}, 1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case _, ok := <-watcher.Events:
				if !ok {
					return
				}
				select {
				case changed <- struct{}{}:
				default:
				}
			case _, ok := <-watcher.Errors: // queue overflow and the like: the looks go on
				if !ok {
					return
				}
			}
		}
	}()
	return changed, func() {
		watcher.Close()
		<-done
	}
}
