"""(vocabulary of rootfs: written with the room)"""
