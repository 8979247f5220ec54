"""(vocabulary of sysroot: written with the room)"""
