"""What the tables are that the API serves as CSV: their addresses, and what each column means."""

from fastapi import APIRouter, Request, Response
from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel
from pydantic_core import to_json

from api.http import pagination
from api.http.errors import LIST_ERRORS
from api.http.negotiation import JsonAccepted
from api.http.read_connection import ThreadReader
from api.http.read_route import ReadRoute
from api.tables import data_package
from models.core.schema_names import sometimes
from models.core.types import Shape

router = APIRouter(
    prefix="/v1", tags=["export"], dependencies=[JsonAccepted], route_class=ReadRoute
)


class Constraints(Shape):
    """What holds for each value of a column."""

    required: bool = sometimes("True where no value is missing.")
    enum: list[str] = sometimes("The terms that are valid.")


class TableField(Shape):
    """A column."""

    name: str
    type: str = Field(description="A type of Table Schema, such as `integer` or `date`.")
    description: str
    constraints: Constraints = sometimes("What holds for each value.")


class Referred(Shape):
    """The columns of another table to which columns refer."""

    resource: str
    fields: list[str]


class ForeignKey(Shape):
    """Columns that name a row of another table."""

    fields: list[str]
    reference: Referred


class TableSchema(Shape):
    """The columns of a table (https://datapackage.org/standard/table-schema/)."""

    model_config = ConfigDict(alias_generator=to_camel)

    fields: list[TableField]
    primary_key: list[str] = sometimes("The columns that name a row, where there are such.")
    foreign_keys: list[ForeignKey] = sometimes("Which columns name rows of other tables.")


class DataResource(Shape):
    """A table: where it is, and what is in it."""

    name: str
    description: str
    path: str = Field(description="The address of the table.")
    format: str
    mediatype: str
    encoding: str
    table_schema: TableSchema = Field(alias="schema")


class PackageLicence(Shape):
    """A licence under which some of the content is."""

    name: str = Field(description="Its SPDX identifier.")


class DataPackage(Shape):
    """A data package (https://datapackage.org/standard/data-package/)."""

    profile: str = Field(alias="$schema", description="The address of the schema of this.")
    name: str
    title: str
    description: str = Field(description="The notice.")
    version: str = Field(description="Number of the last change.")
    licenses: list[PackageLicence]
    resources: list[DataResource]


@router.get("/datapackage.json", response_model=DataPackage, responses=LIST_ERRORS)
def get_data_package(request: Request, connection: ThreadReader) -> Response:
    """Return the data package of all claims, evidence and sources and of the matrix, as CSV.

    Programs of data packages (Frictionless) read the tables by it, with the type, the meaning and
    the valid terms of each column. The tables are as of when they are read.
    """
    etag = pagination.list_tag(connection)
    if unchanged := pagination.not_modified(request, etag):
        return unchanged
    base = pagination.base_of(request)
    return pagination.json_response(to_json(data_package.descriptor_of_csv(connection, base)), etag)
