"""pandas, dask and xarray on files of a tenant: in full in the tox environment that has them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest

from agavepy.agave import Agave
from agavepy.sandbox import Sandbox

# What these libraries have to say about each other's releases is theirs.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*inplace keyword"),
    pytest.mark.filterwarnings("ignore:Consolidated metadata"),
]

pandas = pytest.importorskip("pandas")


@pytest.fixture(scope="module")
def ag() -> Iterator[Agave]:
    with Sandbox() as tenant:
        client = tenant.client()
        yield client
        client.close()


@pytest.fixture
def options(ag: Agave) -> dict[str, Any]:
    return {"client": ag}


@pytest.fixture
def folder(ag: Agave) -> str:
    path = f"sandbox-storage/sandbox/{uuid.uuid4().hex}"
    ag.files_mkdir(path)
    return f"agave://{path}"


@pytest.fixture
def table() -> Any:
    return pandas.DataFrame({"hour": range(1000), "level": [hour / 7 for hour in range(1000)]})


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t #1?.csv"])
def test_pandas_reads_the_csv_that_it_wrote(table: Any, folder: str, options: dict[str, Any], name: str) -> None:
    table.to_csv(f"{folder}/{name}", index=False, storage_options=options)
    assert pandas.read_csv(f"{folder}/{name}", storage_options=options).equals(table)


def test_pandas_reads_the_parquet_that_it_wrote(table: Any, folder: str, options: dict[str, Any]) -> None:
    pytest.importorskip("pyarrow")
    table.to_parquet(f"{folder}/t.parquet", storage_options=options)
    assert pandas.read_parquet(f"{folder}/t.parquet", storage_options=options).equals(table)


def test_pandas_says_of_a_file_that_is_not_there_what_it_always_says(folder: str, options: dict[str, Any]) -> None:
    with pytest.raises(FileNotFoundError):
        pandas.read_csv(f"{folder}/nothing.csv", storage_options=options)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_dask_reads_the_parts_that_it_wrote(table: Any, folder: str, options: dict[str, Any], kind: str) -> None:
    frames = pytest.importorskip("dask.dataframe")
    parts = frames.from_pandas(table, npartitions=4)
    if kind == "csv":
        parts.to_csv(f"{folder}/part-*.csv", index=False, storage_options=options)
        back = frames.read_csv(f"{folder}/part-*.csv", storage_options=options)
    else:
        parts.to_parquet(f"{folder}/parts", storage_options=options)
        back = frames.read_parquet(f"{folder}/parts", storage_options=options)
    assert back.npartitions == 4
    assert back.hour.sum().compute(scheduler="threads") == table.hour.sum()


def test_processes_of_dask_restore_the_session(
    table: Any, ag: Agave, folder: str, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    frames = pytest.importorskip("dask.dataframe")
    monkeypatch.setenv("TAPIS_CACHE_DIR", str(tmp_path))
    ag.save_configs()
    table.to_csv(f"{folder}/t.csv", index=False, storage_options=options)
    back = frames.read_csv(f"{folder}/t.csv", blocksize=4000, storage_options=options)
    assert back.npartitions > 2
    assert back.hour.sum().compute(scheduler="processes", num_workers=2) == table.hour.sum()


@pytest.mark.parametrize("is_lazy", [False, True])
def test_xarray_reads_the_zarr_that_it_wrote(folder: str, options: dict[str, Any], is_lazy: bool) -> None:
    xarray = pytest.importorskip("xarray")
    pytest.importorskip("zarr")
    grid = xarray.Dataset({"level": (("x", "y"), [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])})
    grid.to_zarr(f"{folder}/grid.zarr", storage_options=options)
    back = xarray.open_zarr(f"{folder}/grid.zarr", chunks={} if is_lazy else None, storage_options=options)
    assert back.load().equals(grid)


def test_xarray_reads_the_netcdf_that_it_wrote(folder: str, options: dict[str, Any]) -> None:
    xarray = pytest.importorskip("xarray")
    pytest.importorskip("h5py")
    pytest.importorskip("h5netcdf")
    grid = xarray.Dataset({"level": (("x", "y"), [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])})
    fs = fsspec.filesystem("agave", **options)
    with fs.open(f"{folder}/grid.nc", "wb") as file:
        file.write(bytes(grid.to_netcdf(engine="h5netcdf")))
    with fs.open(f"{folder}/grid.nc") as file, xarray.open_dataset(file, engine="h5netcdf") as back:
        assert back.load().equals(grid)
