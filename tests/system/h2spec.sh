#!/bin/sh
# What h2specd runs for each of its cases: one request by the mesh command ($1) to the case's URL ($2), HTTP/2 or nothing.
case $2 in
http:*) target=h2c:${2#http:} ;;
https:*) target=h2:${2#https:} ;;
esac
exec "$1" request --attempts 1 --timeout 2500ms "${target%/}" /
