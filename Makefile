.PHONY: install test bench clean

install:
	python3 -m pip install ".[sandbox]"

test:
	python3 -m pip install tox && tox

bench:
	python3 -m pip install tox && tox -e bench

clean:
	rm -rf build dist .tox *.egg-info .pytest_cache .mypy_cache .ruff_cache
