// The same few steps as our client, by the C library: what it prints is what
// our client must print.
#include <pmix.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static pmix_proc_t me;

static void check(pmix_status_t rc, const char *what) {
	if (rc != PMIX_SUCCESS) {
		fprintf(stderr, "reference: rank %u: %s: %s\n", me.rank, what, PMIx_Error_string(rc));
		exit(1);
	}
}

static double now(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

static pmix_value_t *get(const pmix_proc_t *of, const char *key) {
	pmix_value_t *v = NULL;
	check(PMIx_Get(of, key, NULL, 0, &v), key);
	return v;
}

int main(void) {
	double start = now();
	check(PMIx_Init(&me, NULL, 0), "init");

	pmix_proc_t of = me;
	of.rank = PMIX_RANK_WILDCARD;
	unsigned size = get(&of, PMIX_JOB_SIZE)->data.uint32;
	unsigned local_size = get(&of, PMIX_LOCAL_SIZE)->data.uint32;
	unsigned local_rank = get(&me, PMIX_LOCAL_RANK)->data.uint16;

	char text[64];
	snprintf(text, sizeof text, "value of rank %u", me.rank);
	pmix_value_t v;
	v.type = PMIX_STRING;
	v.data.string = text;
	check(PMIx_Put(PMIX_GLOBAL, "ame", &v), "put");
	check(PMIx_Commit(), "commit");

	bool yes = true;
	pmix_info_t collect;
	memset(&collect, 0, sizeof collect);
	PMIX_INFO_LOAD(&collect, PMIX_COLLECT_DATA, &yes, PMIX_BOOL);
	check(PMIx_Fence(NULL, 0, &collect, 1), "fence");
	of.rank = 0;
	char *first = get(&of, "ame")->data.string;
	double elapsed = now() - start;
	of.rank = size - 1;
	char *last = get(&of, "ame")->data.string;

	printf("rank %u of %u, %u of %u on this node: %s, %s\n", me.rank, size, local_rank, local_size, first, last);
	if (getenv("DLP_TEST_TIMES"))
		printf("ms %.3f\n", elapsed);
	fflush(stdout);
	check(PMIx_Finalize(NULL, 0), "finalize");
	return 0;
}
