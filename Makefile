# Thin verbs. What each one does stands in scripts/ and Package.swift.
.PHONY: demo test bench format lint check clean

# Builds the program and asks the demo model about the pictures in Examples/.
demo:
	scripts/install-dependencies.sh
	swift build -c release --product qwenvl
	scripts/demo.sh

# Every test, optimised as in use: the arithmetic that is tested is the arithmetic that ships.
test:
	scripts/install-dependencies.sh
	swift build -c release --build-tests
	swift test -c release --skip-build

# The kernels; and the tokenizer, with TOKENIZER=DIR (tokenizer.json, or vocab.json and merges.txt) TEXT=FILE.
bench:
	scripts/install-dependencies.sh
	swift build -c release --product kernel-benchmark
	.build/release/kernel-benchmark
ifdef TOKENIZER
	swift build -c release --product tokenizer-benchmark
	.build/release/tokenizer-benchmark --tokenizer $(TOKENIZER) $(TEXT)
endif

format:
	scripts/install-dependencies.sh format
	scripts/format.sh

lint:
	scripts/install-dependencies.sh format
	scripts/format.sh --check

# Formatting, and a build of everything in which a warning is an error. It has a build folder of its own, because
# the flags differ from those of `make test` and each would build the other's work again.
check: lint
	scripts/install-dependencies.sh
	QWENVL_WARNINGS_AS_ERRORS=1 swift build -c release --build-tests --scratch-path .build/check

clean:
	rm -rf .build
